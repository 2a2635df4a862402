"""The part `compare`: two nets on the same clips, layer by layer, unit by unit, error by error."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from convscope.errors import UserError
from convscope.inside.compare.cka import LEAST_CLIPS, Alignment
from convscope.inside.compare.disagreement import by_class, differing, joined
from convscope.inside.compare.figures import (
    cka_figure,
    confusions_figure,
    matches_figure,
    pairs_figure,
)
from convscope.inside.compare.matching import (
    Correlation,
    filter_likeness,
    matches,
    response_likeness,
)
from convscope.inside.results.parts import NotApplicable
from convscope.inside.results.writer import Result, ResultWriter, axis
from convscope.inside.subject.subject import Choice, Subject
from convscope.inside.tracing.layers import Layer, forward, layer_named, layers_of
from convscope.inside.tracing.record import record
from convscope.inside.tracing.untouched import untouched
from convscope.run import Run
from convscope.scores.predictions import read_predictions
from convscope.training.checkpoint import Trained, load_trained

BATCH = 64
MOST_CLIPS = 512


@dataclass(frozen=True)
class Side:
    """One of two nets.

    Attributes:
        net: from its input to logits.
        inputs: makes its input of stored clips.
        layers: of the net, by name.
    """

    net: nn.Module
    inputs: Callable[[Any], Tensor]
    layers: Mapping[str, Layer]


@dataclass(frozen=True)
class Likeness:
    """How alike two nets' layers and units are.

    Attributes:
        alignment: CKA of every pair of layers.
        units: for each layer that both have, the correlation of units.
    """

    alignment: Alignment
    units: dict[str, Correlation]


def likeness(
    one: Side, two: Side, clips: Any, progress: Callable[[int, int], None] | None = None
) -> Likeness:
    """Show two nets the same stored clips (n_clips, …), batch by batch; both are left as found."""
    found = Likeness(
        Alignment(), {name: Correlation() for name in one.layers if name in two.layers}
    )
    for start in range(0, len(clips), BATCH):
        batch = clips[start : start + BATCH]
        first, second = _answers(one, batch), _answers(two, batch)
        found.alignment.add(first, second)
        for name, correlation in found.units.items():
            correlation.add(first[name], second[name])
        if progress:
            progress(start + len(batch), len(clips))
    return found


@torch.no_grad()
def _answers(side: Side, clips: Any) -> dict[str, Tensor]:
    with untouched(side.net), record(side.net, side.layers) as recorded:
        forward(side.net, side.inputs(clips))
    return dict(recorded)


def look_compare(subject: Subject, choice: Choice, writer: ResultWriter) -> None:
    """`compare_cka`, `compare_units`, `compare_filters` and `compare_confusions` with another run.

    Raises:
        NotApplicable: no other run, or no clips.
        UserError: the other run takes other clips.
    """
    if choice.other is None:
        raise NotApplicable("compare needs another run: give its folder as --with RUN")
    if subject.examples is None or len(subject.examples) < LEAST_CLIPS:
        raise NotApplicable(f"at least {LEAST_CLIPS} clips are needed to compare by: --clips DIR")
    run = Run.existing(choice.other)
    other = load_trained(run, str(subject.device), choice.trust_code)
    _require_same_clips(subject, run, other)
    one, two = _own_side(subject, choice), _other_side(subject, other, choice)
    found = likeness(one, two, subject.examples.clips[:MOST_CLIPS])
    names = (subject.name, run.name)
    _write_cka(found.alignment, names, writer)
    _write_units(found.units, names, writer)
    _write_filters(subject, two.net, other, names, choice.n, writer)
    if subject.run is not None:
        _write_confusions(subject.run, run, writer)


def _require_same_clips(subject: Subject, run: Run, other: Trained) -> None:
    data = other.cell.data
    rate_hz = getattr(data, "rate_hz", None)
    if data.clip_shape != subject.clip_shape or rate_hz != subject.rate_hz:
        raise UserError(
            f"{run.folder} takes clips of shape {data.clip_shape} at {rate_hz} Hz, "
            f"{subject.name} of {subject.clip_shape} at {subject.rate_hz} Hz: compare runs that "
            "take the same clips"
        )


def _own_side(subject: Subject, choice: Choice) -> Side:
    return Side(subject.net, subject.inputs, _compared(subject.layers, choice))


def _other_side(subject: Subject, other: Trained, choice: Choice) -> Side:
    @torch.no_grad()
    def inputs(clips: Any) -> Tensor:
        made: Tensor = other.front(subject.scaled(clips))
        return made

    empty = torch.zeros(1, *other.cell.data.shape, device=subject.device)
    layers = layers_of(other.net, empty)
    known = choice.layer is None or choice.layer in layers
    return Side(other.net, inputs, _compared(layers, choice if known else Choice()))


def _compared(layers: Mapping[str, Layer], choice: Choice) -> dict[str, Layer]:
    if choice.layer is not None:
        return {choice.layer: layer_named(layers, choice.layer)}
    return {name: each for name, each in layers.items() if each.kind != "conv"}


def _write_cka(alignment: Alignment, names: tuple[str, str], writer: ResultWriter) -> None:
    axes = (axis("layer", alignment.names), axis("other layer", alignment.other_names))
    writer.array("compare_cka", Result(alignment.cka, axes, f"linear CKA of {' and '.join(names)}"))
    writer.figure("compare_cka", cka_figure(alignment, names))


def _write_units(
    units: Mapping[str, Correlation], names: tuple[str, str], writer: ResultWriter
) -> None:
    rows: list[dict[str, Any]] = []
    for name, correlation in units.items():
        r = correlation.r
        found = matches(r)
        for i, (best, value, partner) in enumerate(
            zip(found.best, found.likeness, found.partner, strict=True)
        ):
            rows.append(
                {
                    "unit": f"{name}:{i}",
                    "best": f"{name}:{best}",
                    "r": float(value),
                    "one_to_one": f"{name}:{partner}" if partner >= 0 else "",
                    "r_one_to_one": float(r[i, partner]) if partner >= 0 else None,
                }
            )
    if rows:
        writer.table("compare_units", rows)
        best = {name: matches(each.r).likeness for name, each in units.items()}
        writer.figure("compare_units", matches_figure(best, names))


def _write_filters(
    subject: Subject,
    net: nn.Module,
    other: Trained,
    names: tuple[str, str],
    n: int,
    writer: ResultWriter,
) -> None:
    """The filters of the first layers; nothing where they see different inputs."""
    one = _first_filters(subject.layers)
    two = _first_filters(
        layers_of(net, torch.zeros(1, *other.cell.data.shape, device=subject.device))
    )
    same_input = subject.spectrogram == getattr(other.cell.data, "spectrogram", None)
    if not same_input or one.ndim != two.ndim or one.shape[1] != two.shape[1]:
        return
    by_shape, by_band = filter_likeness(one, two), response_likeness(one, two)
    found = matches(by_shape)
    rows = [
        {
            "filter": f"conv1:{i}",
            "best": f"conv1:{best}",
            "weights": float(by_shape[i, best]),
            "response": float(by_band[i, best]),
            "best_by_response": f"conv1:{by_band[i].argmax()}",
            "response_best": float(by_band[i].max()),
        }
        for i, best in enumerate(found.best)
    ]
    writer.table("compare_filters", rows)
    order = np.argsort(-found.likeness)[:n]
    writer.figure("compare_filters", pairs_figure(one, two, found, order, names))


def _first_filters(layers: Mapping[str, Layer]) -> Any:
    weight = layers["conv1"].weight
    assert weight is not None
    return weight.detach().float().cpu().numpy()


def _write_confusions(one: Run, two: Run, writer: ResultWriter) -> None:
    loaded = []
    for run in (one, two):
        loaded.append((read_predictions(run, len(run.classes)), run.classes))
    answers = joined(*loaded[0], *loaded[1])
    writer.table("compare_confusions", by_class(answers))
    writer.table("compare_clips", differing(answers))
    writer.figure("compare_confusions", confusions_figure(answers, (one.name, two.name)))
