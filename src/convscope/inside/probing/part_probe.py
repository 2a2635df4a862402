"""The part `probe`: how much of the classes each layer already tells apart."""

from typing import Any

import numpy as np

from convscope.inside.probing.features import PENULTIMATE, Features, chosen_layers, features
from convscope.inside.probing.figures import map_figure, probe_figure
from convscope.inside.probing.probe import CLASSIFIERS, Probe, embedded, probe
from convscope.inside.results.labelled_clips import SplitExamples, all_clips, at_most
from convscope.inside.results.writer import Result, ResultWriter, axis
from convscope.inside.subject.subject import Choice, Subject

MOST_TRAIN, MOST_TEST = 4000, 2000
"""Clips, drawn from all: a support vector machine's time grows with their square."""

MOST_MAPPED = 2000


def look_probe(subject: Subject, choice: Choice, writer: ResultWriter) -> None:
    """`probe`: the accuracy of three classifiers on each layer; `probe_map_LAYER`: a map of one.

    They are trained on the clips of train and validation and scored on those of test. The map is of
    test clips at the layer that is asked for, else at `penultimate`, what enters the logits.
    """
    clips = at_most(all_clips(subject, choice.seed), MOST_TRAIN, MOST_TEST, choice.seed)
    found = features(subject, clips.examples, chosen_layers(subject, choice))
    if choice.layer is not None:
        found = {choice.layer: found[choice.layer]}
    rows = [row for each in found.values() for row in _rows(each, clips, choice.seed)]
    writer.table("probe", rows)
    writer.figure("probe", probe_figure(rows, _title(subject, clips)))
    _map(subject, clips, found.get(PENULTIMATE) or next(iter(found.values())), choice, writer)


def _rows(found: Features, clips: SplitExamples, seed: int) -> list[dict[str, Any]]:
    probes = [
        probe(found.values, clips.examples.labels, clips.is_test, name, seed)
        for name in CLASSIFIERS
    ]
    return [_row(found, each) for each in probes]


def _row(found: Features, each: Probe) -> dict[str, Any]:
    return {
        "layer": found.layer,
        "features": found.values.shape[1],
        "pooling": found.pooling,
        "classifier": each.classifier,
        "accuracy": each.accuracy,
        "low": each.interval.low,
        "high": each.interval.high,
        "chance": each.chance,
        "n_train": each.n_train,
        "n_test": each.n_test,
    }


def _title(subject: Subject, clips: SplitExamples) -> str:
    n_test = int(clips.is_test.sum())
    drawn = ", split at random" if clips.drawn else ""
    return f"{subject.name}: trained on {len(clips) - n_test} clips, tested on {n_test}{drawn}"


def _map(
    subject: Subject, clips: SplitExamples, found: Features, choice: Choice, writer: ResultWriter
) -> None:
    shown = np.flatnonzero(clips.is_test)[:MOST_MAPPED]
    places = embedded(found.values[shown], choice.seed)
    examples = clips.examples.take(shown)
    names = [subject.class_name(int(label)) for label in examples.labels]
    axes = (axis("clip", examples.ids), axis("axis", ["x", "y"]))
    writer.array(f"probe_map_{found.layer}", Result(places, axes, "place on the map"))
    title = f"{subject.name}: {found.layer} ({found.pooling}), {len(shown)} test clips, t-SNE"
    writer.figure(f"probe_map_{found.layer}", map_figure(places, names, title))
