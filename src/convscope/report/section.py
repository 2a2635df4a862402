"""One finished run, laid out for a page: where it errs, how it learned, what it is."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from convscope.errors import UserError
from convscope.figures import confusion_figure, loss_figure
from convscope.models.describe import describe
from convscope.models.table import layers_as_json
from convscope.report.clips import ShownClip, is_sound, shown_clips
from convscope.report.html import picture
from convscope.run import CONFIG, Run
from convscope.scores.errors import wrong_clips_of
from convscope.scores.metrics import Confusion, worst_confusions
from convscope.scores.rows import BoardRow
from convscope.training.cell import Cell, cell_of
from convscope.training.trust import trusted

N_CONFUSIONS = 10


@dataclass(frozen=True)
class Section:
    """What a page says of one run.

    Attributes:
        row: its line of the board.
        scores: as `scores.json` has them.
        confusion, curves: addresses of pictures.
        confusions: the commonest ones, the worst first.
        clips: some wrongly labelled clips, most confident first.
        n_wrong: how many there are.
        sound: whether the clips can be heard.
        layers: the layer table as `layers_as_json` makes it; None where the network is
            a user's own whose file is gone, or not to be run.
        settings: the whole cell as YAML.
        environment: on what it was trained.
    """

    row: BoardRow
    scores: dict[str, Any]
    confusion: str
    confusions: list[Confusion]
    curves: str
    clips: list[ShownClip]
    n_wrong: int
    sound: bool
    layers: dict[str, Any] | None
    settings: str
    environment: dict[str, Any]

    @property
    def support(self) -> dict[str, int]:
        """The number of clips of each class."""
        return {each["name"]: each["support"] for each in self.scores["classes"]}

    @property
    def in_time(self) -> bool:
        """Whether receptive fields are lengths of time."""
        rows = self.layers["layers"] if self.layers else []
        return any(row["receptive_field_ms"] is not None for row in rows)


def section(run: Run, row: BoardRow, n_clips: int) -> Section:
    """All that a page says of a finished run, with at most `n_clips` of its wrong clips."""
    cell = cell_of(run)
    scores = run.scores
    classes = [each["name"] for each in scores["classes"]]
    matrix = np.array(scores["confusion"], dtype=np.int64)
    wrong = wrong_clips_of(run)
    return Section(
        row=row,
        scores=scores,
        confusion=picture(confusion_figure(matrix, classes)),
        confusions=worst_confusions(matrix, classes, N_CONFUSIONS),
        curves=picture(loss_figure(run.epochs)),
        clips=shown_clips(run, wrong[:n_clips]),
        n_wrong=len(wrong),
        sound=is_sound(cell.data),
        layers=_layers(run, cell, len(classes)),
        settings=run.path(CONFIG).read_text(),
        environment=run.environment,
    )


def _layers(run: Run, cell: Cell, n_classes: int) -> dict[str, Any] | None:
    try:
        rows = describe(trusted(run, cell.model, False), cell.data.shape, n_classes)
    except UserError:
        return None
    return layers_as_json(rows, getattr(cell.data, "rate_hz", None))
