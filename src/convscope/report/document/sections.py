"""The sections of a report on one group of runs: each a function from the group to its blocks."""

import base64

from convscope.errors import UserError
from convscope.figures import AccuracyPoint, accuracy_params_figure
from convscope.models.describe import describe
from convscope.models.rows import LayerRow
from convscope.names import visible
from convscope.report.clips import ShownClip, shown_clips
from convscope.report.document import tables
from convscope.report.document.blocks import Block, Numbers, Picture, Sentence, Sound
from convscope.report.document.catalogue import Catalogue
from convscope.report.document.figures import architecture_figure
from convscope.report.document.groups import Group, named
from convscope.report.document.learned import learned
from convscope.report.document.next_steps import next_steps
from convscope.report.document.sentences import (
    brain_sentence,
    count_text,
    smallest_sentence,
    weakest_class_sentence,
)
from convscope.run import Run
from convscope.scores.brain import brain_rows, read_brain_scores
from convscope.scores.errors import wrong_clips_of
from convscope.training.cell import Cell, cell_of
from convscope.training.trust import trusted
from convscope.types import Shape

N_CLIPS = 4


def data(say: Catalogue, group: Group, number: int) -> list[Block]:
    """Clips per class and split."""
    table = tables.data_table(say, group, number)
    counts = group.best.environment.get("data", {}).get("clips", {})
    if table is None:
        return []
    values = {f"n_{split}": count_text(counts.get(split)) for split in tables.SPLITS}
    text = say.say("sentence.data", n_classes=len(group.classes), **values)
    return [Sentence(text), table]


def net(say: Catalogue, group: Group, number: int) -> list[Block]:
    """The best network: its layer table and a drawing of its architecture."""
    cell = cell_of(group.best)
    layers = layers_of(group.best, cell)
    if layers is None:
        return []
    name = named(group.rows[0], group.nets)
    shape = "×".join(map(str, cell.data.shape))
    params = count_text(group.rows[0].params)
    n_layers = sum(each.params > 0 for each in layers)
    text = say.say("sentence.net", net=name, params=params, n_layers=n_layers, shape=shape)
    drawing = Picture(
        name=f"architecture_{number}",
        caption=say.say("caption.drawing", net=name),
        alt=say.say("alt.drawing", n=len(layers), net=name),
        content=architecture_figure(layers, cell.data.shape),
        numbers=Numbers(
            ("layer", "kind", "shape", "params"),
            tuple(
                (row.name, row.kind, "×".join(map(str, row.shape)), row.params) for row in layers
            ),
        ),
    )
    field = _field(say, layers, cell.data.shape, getattr(cell.data, "rate_hz", None))
    return [Sentence(text), *field, drawing, tables.layers_table(say, name, layers, number)]


def layers_of(run: Run, cell: Cell) -> tuple[LayerRow, ...] | None:
    """The layer table; None of a user's own network, whose file is gone or not to be run."""
    try:
        return describe(trusted(run, cell.model, False), cell.data.shape, len(run.classes))
    except UserError:
        return None


def grids(say: Catalogue, group: Group, number: int) -> list[Block]:
    """The reports' grids."""
    return list(tables.grid_tables(say, group, number))


def pareto(say: Catalogue, group: Group, number: int) -> list[Block]:
    """Accuracy against size, and the front."""
    nets = [net for net in group.nets if net.params and net.interval and net.accuracy is not None]
    if len(nets) < 2:
        return []
    points = [
        AccuracyPoint(
            named(net, nets),
            net.params or 0,
            net.accuracy or 0.0,
            net.interval or (0, 1),
            net.pareto,
        )
        for net in nets
    ]
    rows = tuple(
        (each.name, each.params, each.accuracy, *each.interval, each.pareto) for each in points
    )
    picture = Picture(
        name=f"pareto_{number}",
        caption=say.say("caption.pareto"),
        alt=say.say("alt.pareto", n=len(points)),
        content=accuracy_params_figure(points),
        numbers=Numbers(("net", "params", "accuracy", "low", "high", "pareto"), rows),
    )
    sentence = Sentence(smallest_sentence(say, group.nets))
    front = tables.front_table(say, group, number)  # none where all are at chance
    return [sentence, picture, *([front] if front.rows else [])]


def classes(say: Catalogue, group: Group, number: int) -> list[Block]:
    """Precision, recall and F1 of the best net."""
    scores = group.best.scores
    text = weakest_class_sentence(say, scores["classes"])
    table = tables.class_table(say, scores, named(group.rows[0], group.nets), number)
    return [*([Sentence(text)] if text else []), table]


def clips(say: Catalogue, group: Group, number: int) -> list[Block]:
    """Some wrongly labelled clips of the best net, to hear or see."""
    wrong = wrong_clips_of(group.best)
    if not wrong:
        return []
    n = count_text(group.best.scores["n"])
    text = say.say("sentence.clips", n_wrong=count_text(len(wrong)), n=n)
    shown = shown_clips(group.best, wrong[:N_CLIPS])
    found = [_clip(say, clip, f"clip_{number}_{k}") for k, clip in enumerate(shown, start=1)]
    return [Sentence(text), *(each for each in found if each is not None)]


def _clip(say: Catalogue, clip: ShownClip, name: str) -> Block | None:
    if clip.picture is None:
        return None
    caption = say.say(
        "sentence.clip",
        actual=visible(clip.wrong.actual),
        predicted=visible(clip.wrong.predicted),
        probability=f"{clip.wrong.probability:.3f}",
        file=visible(clip.wrong.id),
    )
    picture = _content(clip.picture)
    if clip.sound is None:
        return Picture(name, caption, caption, picture)
    return Sound(name, caption, _content(clip.sound), picture)


def _content(uri: str) -> bytes:
    return base64.b64decode(uri.partition("base64,")[2])


def best_learned(say: Catalogue, group: Group, number: int) -> list[Block]:
    """What a look inside the best net left."""
    return learned(say, group.best, number)


def brain(say: Catalogue, group: Group, number: int) -> list[Block]:
    """Every study that runs were held against."""
    found = {each.study for row in group.done for each in read_brain_scores(group.runs[row.run])}
    blocks: list[Block] = []
    for k, study in enumerate(sorted(found), start=1):
        rows = brain_rows(group.done, study)
        table = tables.brain_table(say, rows, 100 * number + k)
        blocks += [Sentence(brain_sentence(say, rows[0])), table]
    return blocks


def unfinished(say: Catalogue, group: Group, number: int) -> list[Block]:
    """Runs that are not done, with the reason that they keep."""
    names = [row.run for row in group.rows if row.accuracy is None]
    if not names:
        return []
    reasons = {name: visible(str(group.runs[name].status.get("reason") or "–")) for name in names}
    return [tables.failed_table(say, group, reasons, number)]


def to_try(say: Catalogue, group: Group, _number: int) -> list[Block]:
    """What the results leave open, with commands."""
    return [*next_steps(say, group)] or [Sentence(say.say("sentence.nothing_next"))]


def _field(
    say: Catalogue, layers: tuple[LayerRow, ...], shape: Shape, rate_hz: int | None
) -> list[Sentence]:
    last = [row for row in layers if row.kind == "conv" and row.receptive_field]
    if not last or last[-1].receptive_field is None:
        return []
    field = last[-1].receptive_field
    if all(n >= whole for n, whole in zip(field, shape[1:], strict=True)):
        return [Sentence(say.say("sentence.whole_field", layer=last[-1].name))]
    said = "×".join(map(str, field))
    if len(field) == 1 and rate_hz:
        said = f"{1000 * field[0] / rate_hz:.1f} ms"
    return [Sentence(say.say("sentence.field", layer=last[-1].name, field=said))]
