"""The tables of a report, from rows of the board."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from convscope.models.rows import LayerRow
from convscope.names import visible
from convscope.report.document.blocks import Cell, Table, cells
from convscope.report.document.catalogue import Catalogue
from convscope.report.document.groups import Group, named
from convscope.report.document.sentences import accuracy_text, count_text, interval_text
from convscope.scores.board_table import marks, mean_and_sd, n_seeds
from convscope.scores.brain import BrainRow
from convscope.scores.network import network
from convscope.scores.pivot import pivot_view
from convscope.scores.plain_table import PlainTable
from convscope.scores.rows import BoardRow

SPLITS = ("train", "validation", "test")
LEFT_OUT = "X"
"""Stands where a cell of a grid was left out, as in the reports."""


def headings(say: Catalogue, *names: str) -> tuple[str, ...]:
    """Words of the catalogue above columns."""
    return tuple(say.say(f"heading.{name}") for name in names)


def data_table(say: Catalogue, group: Group, number: int) -> Table | None:
    """Clips of each class and split; None where the run does not say."""
    by_class: Mapping[str, Any] = group.best.environment.get("data", {}).get("by_class", {})
    if not by_class:
        return None
    rows = [
        cells((visible(name), *(count_text(counts.get(split)) for split in SPLITS)))
        for name, counts in by_class.items()
    ]
    sums = [sum(counts.get(split, 0) for counts in by_class.values()) for split in SPLITS]
    rows.append(cells((say.say("heading.in_all"), *map(count_text, sums))))
    caption = say.say("caption.data", data=group.name)
    return Table(f"data_{number}", caption, headings(say, "class", *SPLITS), tuple(rows))


def layers_table(say: Catalogue, net: str, layers: Sequence[LayerRow], number: int) -> Table:
    """The layer table of a network."""
    rows = [
        cells((each.name, _sizes(each.shape), _sizes(each.receptive_field), f"{each.params:,}"))
        for each in layers
    ]
    total = count_text(sum(each.params for each in layers))
    rows.append(cells((say.say("heading.in_all"), "", "", total)))
    names = headings(say, "layer", "shape", "field", "params")
    return Table(f"layers_{number}", say.say("caption.layers", net=net), names, tuple(rows))


def grid_tables(say: Catalogue, group: Group, number: int) -> list[Table]:
    """Accuracy by depth and regulariser, with parameters, a table for all else that differs."""
    if any(row.conv_layers is None for row in group.done):
        return []
    view = pivot_view(group.done)
    records = iter(view.records)
    found = []
    for k, plain in enumerate(view.tables, start=1):
        n_places = sum(bool(text) for row in plain.rows for text in row[1:])
        params = {
            (str(each["conv_layers"]), each["regulariser"]): count_text(each["params"])
            for each in islice(records, n_places)
        }
        if n_places > 1:
            found.append(_grid_table(say, plain, params, f"grid_{number}_{k}"))
    return found


def _grid_table(
    say: Catalogue, plain: PlainTable, params: Mapping[tuple[str, str], str], name: str
) -> Table:
    across = [column.heading for column in plain.columns[1:]]
    body = tuple(
        (
            Cell(down),
            *(
                _grid_cell(text, params.get((down, heading), ""))
                for text, heading in zip(texts, across, strict=True)
            ),
        )
        for down, *texts in plain.rows
    )
    headings_ = (say.say("heading.conv_layers"), *across)
    caption = say.say("caption.grid", net=plain.title)
    return Table(name, caption, headings_, body, note=say.say("note.grid"))


def _grid_cell(text: str, params: str) -> Cell:
    if not text:
        return Cell(LEFT_OUT)
    return Cell(f"{text.replace('*', '')} · {params}", "*" in text)


def size_board(say: Catalogue, group: Group, before: frozenset[str], number: int) -> Table:
    """Networks by accuracy with their sizes; those new since last time carry a mark."""
    rows = tuple(_board_row(say, group, net, before) for net in group.nets)
    names = headings(say, "net", "seeds", "params", "accuracy", "interval", "marks")
    caption = say.say("caption.size_board", data=group.name)
    return Table(f"board_{number}", caption, names, rows, note=say.say("note.board"))


def _board_row(
    say: Catalogue, group: Group, net: BoardRow, before: frozenset[str]
) -> tuple[Cell, ...]:
    own = {row.run for row in group.of_net(net)}
    words = [
        say.say("mark.pareto") if net.pareto else "",
        say.say("mark.new") if before and not own & before else "",
        marks(net).strip(),
    ]
    values = (
        named(net, group.nets),
        str(n_seeds(net)),
        count_text(net.params),
        mean_and_sd(net),
        interval_text(net.interval) if net.interval else "–",
        ", ".join(filter(None, words)),
    )
    return cells(values, net is group.nets[0])


def front_table(say: Catalogue, group: Group, number: int) -> Table:
    """The Pareto front, the smallest network first."""
    front = sorted((net for net in group.nets if net.pareto), key=lambda net: net.params or 0)
    rows = tuple(
        cells((named(net, group.nets), count_text(net.params), mean_and_sd(net))) for net in front
    )
    names = headings(say, "net", "params", "accuracy")
    return Table(f"front_{number}", say.say("caption.front"), names, rows)


def class_table(say: Catalogue, scores: Mapping[str, Any], net: str, number: int) -> Table:
    """Precision, recall and F1 of each class, and their means."""
    rows = [
        cells((visible(each["name"]), *_shares(each), count_text(each["support"])))
        for each in scores["classes"]
    ]
    for key in ("macro", "weighted"):
        rows.append(
            cells((say.say(f"heading.{key}"), *_shares(scores[key]), count_text(scores["n"])))
        )
    names = headings(say, "class", "precision", "recall", "f1", "clips")
    return Table(f"classes_{number}", say.say("caption.classes", net=net), names, tuple(rows))


def brain_table(say: Catalogue, rows: Sequence[BrainRow], number: int) -> Table:
    """Nets by how well they predict the brain, beside what needs no net."""
    body = tuple(
        cells(
            (
                each.row.run,
                network(each.row),
                f"{each.brain.score:.3f}",
                "–" if each.interval is None else "{:.3f}–{:.3f}".format(*each.interval),
                f"{each.brain.untrained:.3f}",
                f"{each.brain.control_score:.3f}",
                "–" if each.brain.ceiling is None else f"{each.brain.ceiling:.3f}",
            ),
            k == 0,
        )
        for k, each in enumerate(rows)
    )
    names = headings(say, "run", "net", "brain", "interval", "untrained", "control", "ceiling")
    study = visible(rows[0].brain.study)
    note = say.say("note.brain", control=rows[0].brain.control)
    caption = say.say("caption.brain", study=study)
    return Table(f"brain_{number}", caption, names, body, left=2, note=note)


def failed_table(say: Catalogue, group: Group, reasons: Mapping[str, str], number: int) -> Table:
    """Runs that are not done, and why."""
    rows = tuple(
        cells((row.run, network(row), row.state, reasons.get(row.run, "–")))
        for row in group.rows
        if row.accuracy is None
    )
    names = headings(say, "run", "net", "state", "reason")
    return Table(f"unfinished_{number}", say.say("caption.unfinished"), names, rows, left=4)


def record_table(say: Catalogue, lines: Iterable[tuple[str, str, str]], number: int) -> Table:
    """The records of last time and of now."""
    rows = tuple(map(cells, lines))
    names = headings(say, "board", "last_time", "now")
    return Table(f"records_{number}", say.say("caption.records"), names, rows, left=3)


def _shares(scores: Mapping[str, float | None]) -> list[str]:
    values = [scores[key] for key in ("precision", "recall", "f1")]
    return ["–" if value is None else f"{value:.3f}" for value in values]


def _sizes(sizes: tuple[int, ...] | None) -> str:
    return "–" if sizes is None else "×".join(map(str, sizes))


def record_text(net: BoardRow, rows: Sequence[BoardRow]) -> str:
    """A record on one line."""
    return f"{accuracy_text(net.accuracy or 0)}, {count_text(net.params)}: {named(net, rows)}"
