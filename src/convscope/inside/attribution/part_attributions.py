"""The part `attributions`: what each method says matters in a clip, side by side."""

from typing import Any

import numpy as np

from convscope.errors import UserError
from convscope.inside.attribution.attributions import ATTRIBUTIONS, importance
from convscope.inside.attribution.figures import Panel, grid_figure
from convscope.inside.results.examples import Shown, directions, input_axes, pictured, shown
from convscope.inside.results.loudness import levelled
from convscope.inside.results.parts import NotApplicable
from convscope.inside.results.writer import Result, ResultWriter, axis
from convscope.inside.subject.subject import Choice, Subject, chosen_unit
from convscope.inside.tracing.backward import BackwardFailed
from convscope.inside.tracing.target import Attribution, Target

N_CLIPS = 6


def look_attributions(subject: Subject, choice: Choice, writer: ResultWriter) -> None:
    """Every method for some clips, of the class they are taken for, or of the unit chosen.

    A method that is not defined for the net is left out, and the figure says so. Of waveforms the
    deconvnet's reconstruction is a sound as well.

    Raises:
        NotApplicable: where there are no clips, or no method is defined.
    """
    clips = shown(subject, min(choice.n, N_CLIPS))
    target = chosen_target(subject, choice, clips)
    made: dict[str, Attribution] = {}
    refused: dict[str, str] = {}
    for i, (name, method) in enumerate(ATTRIBUTIONS.items()):
        writer.tell(i, len(ATTRIBUTIONS))
        try:
            made[name] = method(subject.net, clips.inputs, target)
        except BackwardFailed:
            raise
        except UserError as error:
            refused[name] = str(error)
    if not made:
        raise NotApplicable(next(iter(refused.values())))
    _put(subject, clips, target, made, refused, writer)


def chosen_target(subject: Subject, choice: Choice, clips: Shown) -> Target:
    """The unit that a user chose; else of each clip the class that it is taken for."""
    unit = chosen_unit(subject, choice)
    if unit is None:
        return Target(unit=[int(k) for k in clips.predicted])
    return Target(unit.layer, unit.index)


def _put(
    subject: Subject,
    clips: Shown,
    target: Target,
    made: dict[str, Attribution],
    refused: dict[str, str],
    writer: ResultWriter,
) -> None:
    axes = input_axes(subject)
    for name, each in made.items():
        result = Result(each.values, (axis("clip", clips.names), *axes), name)
        writer.array(f"attributions_{name}", result)
    writer.table(
        "attributions", [_row(clips, n, a, i) for n, a in made.items() for i in range(len(clips))]
    )
    inputs = pictured(subject, clips.inputs.float().cpu().numpy())
    titles = [title.replace(", ", "\n") for title in clips.titles]
    rows = [("clip", [Panel(x, t, True) for x, t in zip(inputs, titles, strict=True)])]
    for name, each in made.items():
        marks = importance(name, each)[:, None]
        if subject.domain == "spectrogram":
            marks = pictured(subject, marks)
        rows.append((name.replace("_", " "), [Panel(mark) for mark in marks]))
    what = choice_name(subject, target)
    note = (
        "red, or above 0: speaks for it; blue, or below: against it; each by its own largest size"
    )
    note += f"\n{directions(subject)}" if subject.domain == "spectrogram" else ""
    note += f"\nnot defined for this net: {', '.join(refused)}" if refused else ""
    figure = grid_figure(f"{subject.name}: what matters to {what}", rows, axes[1:], note)
    writer.figure("attributions", figure)
    if subject.domain == "waveform" and subject.rate_hz and "deconvnet" in made:
        for name, value in zip(clips.names, made["deconvnet"].values, strict=True):
            sound = levelled(value.mean(axis=0))
            writer.sound(f"attributions_deconvnet_{name}", sound, subject.rate_hz)


def choice_name(subject: Subject, target: Target) -> str:
    """What is explained, in words."""
    if not isinstance(target.unit, int):
        return "the class that each clip is taken for"
    name = subject.class_name(target.unit) if target.layer == "logits" else str(target.unit)
    return f"{target.layer}:{name}"


def _row(clips: Shown, name: str, made: Attribution, i: int) -> dict[str, Any]:
    return {
        "method": name,
        "clip": clips.names[i],
        "score": round(float(made.scores[i]), 5),
        "sum": round(float(np.sum(made.values[i], dtype=np.float64)), 5),
        "gap": None if made.gap is None else round(float(made.gap[i]), 5),
    }
