"""The part `deconv`: what of a clip each layer's strongest units answer to."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from convscope.errors import UserError
from convscope.inside.attribution.figures import Panel, Row, grid_figure
from convscope.inside.attribution.gradients import deconvnet
from convscope.inside.results.examples import Shown, directions, input_axes, pictured, shown
from convscope.inside.results.loudness import levelled
from convscope.inside.results.parts import NotApplicable
from convscope.inside.results.writer import Result, ResultWriter, axis
from convscope.inside.subject.stages import chosen_stages, unit_name
from convscope.inside.subject.subject import Choice, Subject, chosen_unit
from convscope.inside.tracing.backward import BackwardFailed
from convscope.inside.tracing.layers import Layer
from convscope.inside.tracing.record import answers
from convscope.inside.tracing.target import Target

N_CLIPS = 3
SMALL_IMAGE = 64
"""Pixels along an axis up to which an image is shown whole."""


def look_deconv(subject: Subject, choice: Choice, writer: ResultWriter) -> None:
    """For some clips, the deconvnet of each layer's strongest units, down to the clip.

    A layer from which there is no way back by the rules is left out, and the figure says so.

    Raises:
        NotApplicable: where there are no clips, or no layer has a way back.
    """
    clips = shown(subject, min(choice.n, N_CLIPS))
    stages = chosen_stages(subject, choice)
    answered = answers(subject.net, clips.inputs, stages)
    closed: dict[str, str] = {}
    for i in range(len(clips)):
        writer.tell(i, len(clips))
        made = {}
        for name in [each for each in stages if each not in closed]:
            try:
                made[name] = _made(subject, choice, clips, i, stages[name], answered[name][i])
            except BackwardFailed:
                raise
            except UserError as error:
                closed[name] = str(error)
        if not made:
            raise NotApplicable(next(iter(closed.values())))
        _put(
            subject, clips, i, {name: made[name] for name in stages if name in made}, closed, writer
        )


Made = tuple[list[int], NDArray[np.float32]]
"""Units, and what was reconstructed from each: (n_units, *shape)."""


def _made(
    subject: Subject,
    choice: Choice,
    clips: Shown,
    i: int,
    layer: Layer,
    answer: NDArray[np.float32],
) -> Made:
    unit = chosen_unit(subject, choice)
    strongest = np.argsort(-answer.reshape(len(answer), -1).max(axis=1), kind="stable")
    units = [unit.index] if unit is not None else [int(k) for k in strongest[: choice.n]]
    repeated = clips.inputs[i : i + 1].expand(len(units), *subject.shape)
    return units, deconvnet(subject.net, repeated, Target(layer.name, units)).values


def _put(
    subject: Subject,
    clips: Shown,
    i: int,
    made: Mapping[str, Made],
    closed: Mapping[str, str],
    writer: ResultWriter,
) -> None:
    name, axes = clips.names[i], input_axes(subject)
    clip = clips.inputs[i].float().cpu().numpy()
    rows = _first_rows(subject, clip)
    for stage, (units, values) in made.items():
        names = [unit_name(stage, unit, subject.classes) for unit in units]
        result = Result(values, (axis("unit", names), *axes), "reconstruction")
        writer.array(f"deconv_{stage}_{name}", result)
        rows.append(_row(subject, stage, names, values, clip))
    title = f"{subject.name}: deconvnet of each layer's strongest units\n{clips.titles[i]}"
    note = NOTES[subject.domain]
    note += f"; {directions(subject)}" if subject.domain == "spectrogram" else ""
    note += f"\n{_left_out(closed)}" if closed else ""
    writer.figure(f"deconv_{name}", grid_figure(title, rows, axes[1:], note))
    if subject.domain == "waveform" and subject.rate_hz:
        for stage, (_, values) in made.items():
            writer.sound(
                f"deconv_{stage}_{name}", levelled(values[0].mean(axis=0)), subject.rate_hz
            )


NOTES = {
    "waveform": "blue: sent back from one unit, grey: the clip there; each scaled by itself",
    "spectrogram": "red adds, blue takes away; each scaled by itself",
    "image": "red adds, blue takes away (of colour images: grey is 0); each scaled by itself",
}


def _left_out(closed: Mapping[str, str]) -> str:
    """Which layers are not shown, and why."""
    first, *others = closed
    more = f" and {len(others)} more" if others else ""
    return f"not from {first}{more}: {closed[first].partition(',')[0]}"


def _first_rows(subject: Subject, clip: NDArray[np.float32]) -> list[Row]:
    """A sound over the whole width; a picture stands in each row instead."""
    if subject.domain != "waveform":
        return []
    return [(_seconds(subject, clip.shape[1]), [Panel(clip, "clip", is_clip=True)])]


def _row(
    subject: Subject,
    stage: str,
    names: Sequence[str],
    values: NDArray[np.float32],
    clip: NDArray[np.float32],
) -> Row:
    """A layer's reconstructions: of a sound with the clip behind, of a picture with it before."""
    labels = [name.partition(":")[2] for name in names]
    length, places = _stretches(subject, stage, values)
    parts = [v[place] for v, place in zip(values, places, strict=True)]
    if subject.domain == "waveform":
        panels = [
            Panel(part, label, behind=clip[place])
            for part, label, place in zip(parts, labels, places, strict=True)
        ]
        return f"{stage}\n{_seconds(subject, length)}", panels
    seen = [pictured(subject, part, is_difference=True) for part in parts]
    panels = [Panel(part, label) for part, label in zip(seen, labels, strict=True)]
    name = stage if length == clip.shape[-1] else f"{stage}\n{length} px"
    return name, [Panel(pictured(subject, clip), "clip", is_clip=True), *panels]


def _stretches(
    subject: Subject, stage: str, values: NDArray[np.float32]
) -> tuple[int, list[tuple[slice, ...]]]:
    """Where each unit's reconstruction is to be seen: twice what a unit sees along an axis.

    A spectrogram, and an image that is small enough, are shown whole.
    """
    sizes = values.shape[2:]
    fields = subject.layers[stage].fields
    is_whole = subject.domain != "waveform" and max(sizes) <= SMALL_IMAGE
    if fields is None or is_whole or subject.domain == "spectrogram":
        return sizes[-1], [(slice(None),) * (1 + len(sizes))] * len(values)
    lengths = [min(n, 2 * field.size) for n, field in zip(sizes, fields, strict=True)]
    return lengths[-1], [(slice(None), *_around(value, lengths)) for value in values]


def _around(value: NDArray[np.float32], lengths: Sequence[int]) -> list[slice]:
    """So many samples along each axis around those that are not 0."""
    slices = []
    for axis_number, length in enumerate(lengths, 1):
        others = tuple(i for i in range(value.ndim) if i != axis_number)
        places = np.flatnonzero(value.any(axis=others))
        middle = (places[0] + places[-1]) // 2 if len(places) else 0
        start = int(np.clip(middle - length // 2, 0, value.shape[axis_number] - length))
        slices.append(slice(start, start + length))
    return slices


def _seconds(subject: Subject, n_times: int) -> str:
    seconds = n_times / (subject.rate_hz or 1)
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"
