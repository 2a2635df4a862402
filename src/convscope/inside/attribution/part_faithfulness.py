"""The part `faithfulness`: how far each attribution and class map can be trusted, as a table."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import nn

from convscope.errors import UserError
from convscope.inside.attribution.attributions import ATTRIBUTIONS, importance
from convscope.inside.attribution.cam import CAMS
from convscope.inside.attribution.faithfulness import Faithfulness, faithfulness
from convscope.inside.attribution.figures import faithfulness_figure
from convscope.inside.attribution.part_attributions import chosen_target
from convscope.inside.attribution.randomised import randomisation_check
from convscope.inside.results.examples import Shown, shown
from convscope.inside.results.parts import NotApplicable
from convscope.inside.results.writer import Result, ResultWriter, axis
from convscope.inside.subject.subject import Choice, Subject
from convscope.inside.tracing.backward import BackwardFailed
from convscope.inside.tracing.target import Target

Marks: TypeAlias = Callable[[nn.Module], NDArray[np.float32]]
"""From a net to the importance of the samples of the clips shown."""

BASELINE = "mean of each channel of the clip"


def look_faithfulness(subject: Subject, choice: Choice, writer: ResultWriter) -> None:
    """Deletion and insertion areas, and the rank correlation left without weights, of each method.

    The last row is a map drawn at random: what a method must beat.

    Raises:
        NotApplicable: where there are no clips, or what is chosen is no class.
    """
    clips = shown(subject, choice.n)
    target = chosen_target(subject, choice, clips)
    if target.layer != "logits":
        raise NotApplicable("its curves are a class's probability: choose logits:CLASS, or no unit")
    curves, correlations = {}, {}
    methods = _methods(clips, target, choice.seed)
    for i, (name, marks) in enumerate(methods.items()):
        writer.tell(i, len(methods))
        try:
            marked = marks(subject.net)
        except BackwardFailed:
            raise
        except UserError:
            continue  # not defined for this net, as the part `attributions` says
        curves[name] = faithfulness(subject.net, clips.inputs, target, marked)
        correlations[name] = randomisation_check(subject.net, clips.inputs, marks, choice.seed)
    _put(subject, clips, curves, correlations, writer)


def _methods(clips: Shown, target: Target, seed: int) -> dict[str, Marks]:
    inputs = clips.inputs

    def attribution(name: str) -> Marks:
        return lambda net: importance(name, ATTRIBUTIONS[name](net, inputs, target))

    def class_map(name: str) -> Marks:
        return lambda net: CAMS[name](net, inputs, target).over_clip

    def chance(_net: nn.Module) -> NDArray[np.float32]:
        shape = (len(inputs), *inputs.shape[2:])
        return np.random.default_rng(seed).random(shape, np.float32)

    return (
        {name: attribution(name) for name in ATTRIBUTIONS}
        | {name: class_map(name) for name in CAMS}
        | {"random map": chance}
    )


def _put(
    subject: Subject,
    clips: Shown,
    curves: dict[str, Faithfulness],
    correlations: dict[str, dict[str, float]],
    writer: ResultWriter,
) -> None:
    names, layers = list(curves), list(next(iter(correlations.values())))
    areas = [
        (float(c.deletion_area.mean()), float(c.insertion_area.mean())) for c in curves.values()
    ]
    kept = np.array([[correlations[name][layer] for layer in layers] for name in names])
    kept[names.index("random map")] = np.nan  # it never looks at the net
    shares = next(iter(curves.values())).shares
    values = np.stack([[c.deletion.mean(0), c.insertion.mean(0)] for c in curves.values()])
    axes = (axis("method", names), axis("curve", ["deletion", "insertion"]), axis("share", shares))
    writer.array("faithfulness_curves", Result(values, axes, "probability"))
    rows = [
        {
            "method": name,
            "deletion_area": round(deletion, 4),
            "insertion_area": round(insertion, 4),
            **{f"correlation_{layer}": _rounded(r) for layer, r in zip(layers, row, strict=True)},
            "clips": len(clips),
            "baseline": BASELINE,
        }
        for name, (deletion, insertion), row in zip(names, areas, kept, strict=True)
    ]
    writer.table("faithfulness", rows)
    title = f"{subject.name}: faithfulness over {len(clips)} clips, baseline: {BASELINE}"
    writer.figure("faithfulness", faithfulness_figure(names, areas, layers, kept, title))


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)
