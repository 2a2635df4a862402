"""The part `top`: the clips, and their stretches, that drive units most and least."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.figures import short
from convscope.inside.results.examples import directions, pictured
from convscope.inside.results.loudness import levelled
from convscope.inside.results.parts import NotApplicable
from convscope.inside.results.progress import Tell, step_of
from convscope.inside.results.writer import Result, ResultWriter, axis
from convscope.inside.subject.stages import (
    answered,
    chosen_stages,
    inputs_of,
    unit_name,
    with_some_clips,
)
from convscope.inside.subject.subject import Choice, Subject, chosen_unit
from convscope.inside.units.figures_top import Cell, contact_sheet
from convscope.inside.units.part_dead import class_label
from convscope.inside.units.selectivity import selectivity, sparseness
from convscope.inside.units.top_clips import Extremes, TopClips, TopTally
from convscope.types import Waveform

MOST_CLIPS = 512
UNITS_A_LAYER = 3

MOST_CELLS = 10
"""In a row of a sheet."""

LEAST_SECONDS, LEAST_PIXELS = 0.004, 32
"""In a cell."""

PAUSE_SECONDS = 0.25
FADE_SECONDS = 0.002

Row = dict[str, Any]


def look_top(subject: Subject, choice: Choice, writer: ResultWriter) -> None:
    """A table of all units and, of each layer's three most selective ones, a sheet and the sounds.

    At most 512 of the subject's clips are shown to the net, of each class alike. The stretches of
    a unit, made equally loud, follow each other in one file, and so do the whole clips that drive
    it most, as they are.

    Raises:
        NotApplicable: where there are no clips.
        UserError: for a layer or unit that the net does not have, or a failing forward pass.
    """
    if subject.examples is None or not len(subject.examples):
        raise NotApplicable("there are no clips to choose from: give --clips DIR")
    subject = with_some_clips(subject, MOST_CLIPS, choice.seed)
    unit = chosen_unit(subject, choice)
    tops = _tops(subject, choice, step_of(writer.tell, 0, 2))
    for i, (top, order) in enumerate(tops):
        step_of(writer.tell, 1, 2)(i, len(tops))
        units = order[:UNITS_A_LAYER].tolist() if unit is None else [unit.index]
        _put_responses(subject, top, writer)
        _put_sheet(subject, top, units, writer)
        if len(subject.clip_shape) == 2 and subject.rate_hz is not None:
            _put_sounds(subject, top, units, writer)


def _tops(subject: Subject, choice: Choice, tell: Tell) -> list[tuple[TopClips, NDArray[np.int64]]]:
    """What drives the units of each layer, and the units from the most selective on."""
    stages = chosen_stages(subject, choice)
    tops = {name: TopTally(name, each, subject.shape, choice.n) for name, each in stages.items()}
    means: dict[str, list[NDArray[np.float32]]] = {name: [] for name in stages}
    assert subject.examples is not None
    n_done = 0
    for answers in answered(subject.net, inputs_of(subject, stages), stages):
        for name, answer in answers.items():
            tops[name].add(answer)
            means[name].append(answer.leaving.clamp(min=0).mean(2).cpu().numpy())
        n_done += len(answer.leaving)
        tell(n_done, len(subject.examples))
    return [
        (tally.result(), _most_selective(subject, np.concatenate(means[name])))
        for name, tally in tops.items()
    ]


def _most_selective(subject: Subject, means: NDArray[np.float32]) -> NDArray[np.int64]:
    """Units by their index of selectivity; by their sparseness where classes are not known.

    The index counts by the share of clips of its class that a unit answers to at all: one that a
    single clip wakes is no unit of its class.
    """
    assert subject.examples is not None
    labels = subject.examples.labels
    if len(np.unique(labels[labels >= 0])) > 1:
        found = selectivity(means, means, labels)
        belongs = labels[:, None] == found.preferred
        answers = ((means > 0) & belongs).sum(0) / np.maximum(belongs.sum(0), 1)
        rank = found.index * answers
    else:
        rank = sparseness(means)
    return np.argsort(-np.nan_to_num(rank, nan=-1.0), kind="stable")


def _put_responses(subject: Subject, top: TopClips, writer: ResultWriter) -> None:
    n_units, n = top.most.responses.shape
    values = np.stack([top.most.responses, top.least.responses])
    units = [unit_name(top.layer, unit, subject.classes) for unit in range(n_units)]
    axes = (axis("end", ["most", "least"]), axis("unit", units), axis("rank", range(1, n + 1)))
    writer.array(f"top_{top.layer}", Result(values, axes, "value that enters the activation"))
    writer.table(f"top_{top.layer}_clips", list(_rows(subject, top)))


def _rows(subject: Subject, top: TopClips) -> Iterator[Row]:
    assert subject.examples is not None
    for end, extremes in (("most", top.most), ("least", top.least)):
        for unit, rank in np.ndindex(extremes.clips.shape):
            clip = extremes.clips[unit, rank]
            yield {
                "unit": unit_name(top.layer, unit, subject.classes),
                "end": end,
                "rank": rank + 1,
                "clip": str(subject.examples.ids[clip]),
                "class": class_label(subject, int(subject.examples.labels[clip])),
                "response": float(f"{extremes.responses[unit, rank]:.6g}"),
            } | _where(subject, extremes.stretches[unit, rank])


def _where(subject: Subject, stretch: NDArray[np.int64]) -> Row:
    """A stretch in the units that a user knows."""
    if len(subject.clip_shape) == 3:
        (top, bottom), (left, right) = stretch.tolist()
        return {"top_px": top, "bottom_px": bottom, "left_px": left, "right_px": right}
    assert subject.rate_hz is not None
    start, stop = _samples(subject, stretch)
    row: Row = {
        "start_s": round(start / subject.rate_hz, 6),
        "stop_s": round(stop / subject.rate_hz, 6),
    }
    if subject.spectrogram is not None:
        bin_hz = subject.rate_hz / subject.spectrogram.fft_size
        row |= {"low_hz": stretch[0, 0] * bin_hz, "high_hz": (stretch[0, 1] - 1) * bin_hz}
    return row


def _samples(subject: Subject, stretch: NDArray[np.int64]) -> tuple[int, int]:
    """The first sample of a sound that a stretch of the net's input covers, and that behind it."""
    start, stop = map(int, stretch[-1])
    if subject.spectrogram is None:
        return start, stop
    stride, window = subject.spectrogram.stride, subject.spectrogram.window
    return start * stride, (stop - 1) * stride + window


def _put_sheet(subject: Subject, top: TopClips, units: Sequence[int], writer: ResultWriter) -> None:
    size = _surroundings(subject, top)
    rows = {}
    for unit in units:
        name = unit_name(top.layer, unit, subject.classes)
        for end, extremes in (("most", top.most), ("least", top.least)):
            rows[f"{name}\n{end}"] = _cells(subject, extremes, unit, size)
    rate_hz = subject.rate_hz if subject.domain == "waveform" else None
    writer.figure(f"top_{top.layer}", contact_sheet(_title(subject, top, size), rows, rate_hz))


def _surroundings(subject: Subject, top: TopClips) -> tuple[int, ...]:
    """How much of the net's input a cell shows: four stretches, or all where that is less."""
    widths = np.diff(np.concatenate([top.most.stretches, top.least.stretches]))[..., 0]
    if subject.domain == "spectrogram":
        return subject.shape[1:]
    least = LEAST_PIXELS if subject.rate_hz is None else round(LEAST_SECONDS * subject.rate_hz)
    wanted = np.maximum(4 * widths.max(axis=(0, 1)), least)
    return tuple(np.minimum(wanted, subject.shape[1:]).tolist())


def _title(subject: Subject, top: TopClips, size: tuple[int, ...]) -> str:
    text = f"what drives units of {top.layer} most and least, each cell "
    if subject.domain == "waveform":
        assert subject.rate_hz is not None
        text += f"{1000 * size[0] / subject.rate_hz:.4g} ms"
    else:
        text += "the whole input" if size == subject.shape[1:] else f"{size[1]} by {size[0]} pixels"
    text += "; orange: what the unit sees\nbelow: class and value that enters the activation"
    return text + (f"; {directions(subject)}" if subject.domain == "spectrogram" else "")


def _cells(subject: Subject, extremes: Extremes, unit: int, size: tuple[int, ...]) -> list[Cell]:
    assert subject.examples is not None
    clips = extremes.clips[unit, :MOST_CELLS]
    inputs = subject.inputs(subject.examples.clips[clips]).float().cpu().numpy()
    cells = []
    for rank, clip in enumerate(clips):
        label = class_label(subject, subject.examples.labels[clip])
        label = f"{label[:14]}\n{short(extremes.responses[unit, rank])}".strip()
        cells.append(_cell(subject, inputs[rank], extremes.stretches[unit, rank], size, label))
    return cells


def _cell(
    subject: Subject,
    values: NDArray[np.float32],
    stretch: NDArray[np.int64],
    size: tuple[int, ...],
    label: str,
) -> Cell:
    """A stretch and what surrounds it, all within the clip."""
    lengths = np.array(values.shape[1:])
    starts = np.clip(stretch.mean(1).astype(int) - np.array(size) // 2, 0, lengths - size)
    cut = tuple(slice(start, start + n) for start, n in zip(starts, size, strict=True))
    box = tuple((int(a), int(b)) for a, b in stretch - starts[:, None])
    if subject.domain == "waveform":
        return Cell(values[0][cut], box, label)
    if subject.domain == "spectrogram":
        (low, high), times = box
        box = ((size[0] - high, size[0] - low), times)
    picture = _from_0_to_1(pictured(subject, values))[(slice(None), *cut)]
    return Cell(picture.transpose(1, 2, 0) if len(picture) == 3 else picture[0], box, label)


def _from_0_to_1(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """As it is where it lies there, else stretched from its least to its largest."""
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high <= 1:
        return values
    return np.asarray((values - low) / max(high - low, 1e-12), np.float32)


def _put_sounds(
    subject: Subject, top: TopClips, units: Sequence[int], writer: ResultWriter
) -> None:
    """For each unit the stretches of both ends, in turn, and the whole clips that drive it most."""
    assert subject.rate_hz is not None
    for unit in units:
        name = f"top_{top.layer}_{unit}"
        for end, extremes in (("most", top.most), ("least", top.least)):
            waves = _waves(subject, extremes.clips[unit])
            cut = _cut_out(subject, waves, extremes.stretches[unit])
            writer.sound(f"{name}_{end}_stretches", in_turn(cut, subject.rate_hz), subject.rate_hz)
        waves = _waves(subject, top.most.clips[unit])
        writer.sound(f"{name}_most_clips", in_turn(waves, subject.rate_hz), subject.rate_hz)


def _waves(subject: Subject, clips: NDArray[np.int64]) -> list[Waveform]:
    assert subject.examples is not None
    waves = subject.scaled(subject.examples.clips[clips]).cpu().numpy()
    return list(waves.reshape(len(clips), -1))


def _cut_out(
    subject: Subject, waves: Sequence[Waveform], stretches: NDArray[np.int64]
) -> list[Waveform]:
    assert subject.rate_hz is not None
    n_fade = round(FADE_SECONDS * subject.rate_hz)
    cuts = [slice(*_samples(subject, stretch)) for stretch in stretches]
    return [levelled(faded(wave[cut], n_fade)) for wave, cut in zip(waves, cuts, strict=True)]


def in_turn(waves: Sequence[Waveform], rate_hz: int) -> Waveform:
    """One after the other, a quarter of a second of silence behind each."""
    silence = np.zeros(round(PAUSE_SECONDS * rate_hz), np.float32)
    return np.concatenate([part for wave in waves for part in (wave, silence)])


def faded(wave: Waveform, n_fade: int) -> Waveform:
    """In and out by a raised cosine of n_fade samples, of a quarter of a shorter sound, against
    the click of a cut."""
    n = min(n_fade, len(wave) // 4)
    gain = np.ones(len(wave), np.float32)
    rise = np.sin(np.pi / 2 * (np.arange(n) + 0.5) / max(n, 1)) ** 2
    gain[:n] = rise
    gain[len(wave) - n :] = rise[::-1]
    return np.asarray(gain * wave, np.float32)
