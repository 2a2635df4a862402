"""The part `dead`: which units say nothing, and whether each class has units of its own."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from convscope.inside.results.parts import NotApplicable
from convscope.inside.results.writer import Result, ResultWriter, axis
from convscope.inside.subject.stages import chosen_stages, inputs_of, unit_name, with_some_clips
from convscope.inside.subject.subject import Choice, Examples, Subject
from convscope.inside.units.activity import Activity, activity
from convscope.inside.units.dead import DeadUnits, Limits, judged
from convscope.inside.units.figures import class_units_figure, dead_layers_figure
from convscope.inside.units.selectivity import Selectivity, selectivity

MOST_CLIPS = 512

Row = dict[str, Any]


def look_dead(subject: Subject, choice: Choice, writer: ResultWriter) -> None:
    """Dead, pinned and duplicate units of each layer, and what the units have to do with classes.

    At most 512 of the subject's clips are shown, of each class alike; `dead_clips` lists them.

    Raises:
        NotApplicable: where there are no clips.
        UserError: for a layer that the net does not have, or where the forward pass fails.
    """
    if subject.examples is None or not len(subject.examples):
        raise NotApplicable("units are dead for some clips, and there are none: give --clips DIR")
    subject = with_some_clips(subject, MOST_CLIPS, choice.seed)
    assert subject.examples is not None
    stages = chosen_stages(subject, choice)
    limits = Limits()
    seen = activity(subject.net, inputs_of(subject, stages), stages, limits.bound)
    dead = {name: judged(each, limits) for name, each in seen.items()}
    select = _selectivities(seen, subject.examples)
    by_chance = _selectivities(seen, _shuffled(subject.examples, choice.seed))
    summary = [_layer_row(dead[name], select.get(name), by_chance.get(name)) for name in dead]
    writer.table("dead_clips", _clip_rows(subject))
    writer.table("dead_units", _unit_rows(subject, dead, select))
    writer.table("dead_layers", summary)
    writer.figure("dead_layers", dead_layers_figure(summary, len(subject.examples)))
    for name, each in select.items():
        _put_classes(subject, name, each, writer)


def _selectivities(seen: Mapping[str, Activity], examples: Examples) -> dict[str, Selectivity]:
    """None where fewer than two classes are known."""
    if len(np.unique(examples.labels[examples.labels >= 0])) < 2:
        return {}
    return {name: selectivity(a.means, a.peaks, examples.labels) for name, a in seen.items()}


def _shuffled(examples: Examples, seed: int) -> Examples:
    """The clips under labels drawn at random: what selectivity comes to by chance."""
    labels = np.random.default_rng(seed).permutation(examples.labels)
    return Examples(examples.clips, labels, examples.ids)


def _clip_rows(subject: Subject) -> list[Row]:
    assert subject.examples is not None
    named = zip(subject.examples.ids, subject.examples.labels, strict=True)
    return [{"clip": str(i), "class": class_label(subject, label)} for i, label in named]


def class_label(subject: Subject, label: int) -> str:
    """A class by name; nothing where it is not known."""
    return "" if label < 0 else subject.class_name(int(label))


def _layer_row(dead: DeadUnits, select: Selectivity | None, by_chance: Selectivity | None) -> Row:
    row: Row = {
        "layer": dead.layer,
        "activation": dead.activation or "",
        "units": dead.n_units,
        "dead": int(dead.dead.sum()),
        "pinned": int(dead.pinned.sum()),
        "duplicate": int(dead.duplicate.sum()),
    }
    if select is None or by_chance is None:
        return row
    owned = np.unique(select.owner[select.owner >= 0])
    return row | {
        "selectivity_median": _median(select.index),
        "selectivity_median_by_chance": _median(by_chance.index),
        "sparseness_median": _median(select.sparseness),
        "units_of_one_class": int((select.owner >= 0).sum()),
        "units_of_one_class_by_chance": int((by_chance.owner >= 0).sum()),
        "classes_with_a_unit": len(owned),
        "classes": len(select.classes),
    }


def _median(values: np.ndarray[Any, Any]) -> float | None:
    known = values[~np.isnan(values)]
    return round(float(np.median(known)), 4) if len(known) else None


def _unit_rows(
    subject: Subject, dead: Mapping[str, DeadUnits], select: Mapping[str, Selectivity]
) -> list[Row]:
    return [
        _unit_row(subject, each, unit) | _class_columns(subject, select.get(name), unit)
        for name, each in dead.items()
        for unit in range(each.n_units)
    ]


def _unit_row(subject: Subject, dead: DeadUnits, unit: int) -> Row:
    group = next((group for group in dead.groups if unit in group), (unit,))
    pinned_share = dead.pinned_share[unit]
    return {
        "unit": unit_name(dead.layer, unit, subject.classes),
        "layer": dead.layer,
        "index": unit,
        "dead": bool(dead.dead[unit]),
        "pinned": bool(dead.pinned[unit]),
        "duplicate_of": unit_name(dead.layer, group[0], subject.classes)
        if group[0] != unit
        else "",
        "positive_share": round(float(dead.positive_share[unit]), 6),
        "pinned_share": None if np.isnan(pinned_share) else round(float(pinned_share), 6),
    }


def _class_columns(subject: Subject, select: Selectivity | None, unit: int) -> Row:
    if select is None:
        return {}
    index, sparse = select.index[unit], select.sparseness[unit]
    return {
        "preferred_class": class_label(subject, select.preferred[unit]),
        "selectivity": None if np.isnan(index) else round(float(index), 4),
        "sparseness": None if np.isnan(sparse) else round(float(sparse), 4),
        "only_class": class_label(subject, select.owner[unit]),
    }


def _put_classes(subject: Subject, name: str, select: Selectivity, writer: ResultWriter) -> None:
    """The mean responses of a layer's units to each class, as array and picture."""
    units = [unit_name(name, unit, subject.classes) for unit in range(len(select.means))]
    classes = [class_label(subject, label) for label in select.classes]
    values = np.stack([select.means, select.peaks, select.used])
    measures = ["mean positive response", "mean peak", "share of clips that drive it"]
    axes = (axis("measure", measures), axis("unit", units), axis("class", classes))
    writer.array(f"dead_{name}_classes", Result(values, axes, "response"))
    writer.figure(f"dead_{name}_classes", class_units_figure(name, select, classes))
