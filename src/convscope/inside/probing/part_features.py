"""The part `features`: a layer's answers to all clips, exported for other classifiers."""

import csv
import io

import numpy as np

from convscope.inside.probing.features import PENULTIMATE, Features, chosen_layers, features
from convscope.inside.results.labelled_clips import SplitExamples, all_clips
from convscope.inside.results.writer import ResultWriter
from convscope.inside.subject.subject import Choice, Subject
from convscope.types import SPLITS

MOST_CSV = 4_000_000
"""Of more numbers than that there is no CSV file beside the npz."""


def look_features(subject: Subject, choice: Choice, writer: ResultWriter) -> None:
    """`features_LAYER`: id, label, split and features of every clip.

    Of the layer that is asked for, else of `penultimate`, what enters the logits.
    """
    clips = all_clips(subject, choice.seed)
    layers = {} if choice.layer is None else chosen_layers(subject, choice)
    found = features(subject, clips.examples, layers, progress=writer.tell)
    export_features(subject, clips, found[choice.layer or PENULTIMATE], writer)


def export_features(
    subject: Subject, clips: SplitExamples, found: Features, writer: ResultWriter
) -> None:
    """Write features with what is known of each clip; as CSV as well unless that is too long."""
    name = f"features_{found.layer}"
    examples = clips.examples
    n_classes = int(examples.labels.max()) + 1
    writer.arrays(
        name,
        {
            "values": found.values,
            "ids": examples.ids,
            "labels": examples.labels,
            "classes": np.array([subject.class_name(label) for label in range(n_classes)]),
            "splits": np.array(SPLITS)[clips.splits],
            "splits_drawn": np.array(clips.drawn),
            "layer": np.array(found.layer),
            "pooling": np.array(found.pooling),
        },
    )
    if found.values.size <= MOST_CSV:
        writer.text(f"{name}.csv", _csv(subject, clips, found))


def _csv(subject: Subject, clips: SplitExamples, found: Features) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    numbers = range(found.values.shape[1])
    writer.writerow(
        ["id", "label", "split", *(f"{found.layer} {found.pooling} {i}" for i in numbers)]
    )
    examples = clips.examples
    rows = zip(examples.ids, examples.labels, clips.splits, found.values, strict=True)
    for id, label, split, values in rows:
        said = (f"{value:.7g}" for value in values)
        writer.writerow([id, subject.class_name(int(label)), SPLITS[split], *said])
    return text.getvalue()
