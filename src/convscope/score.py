"""A finished run on other data than it was trained on."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from convscope.data.config import DataConfig
from convscope.data.dataset import Dataset
from convscope.errors import UserError
from convscope.recipes import assign
from convscope.scores.metrics import Scores, confusion_matrix, scores
from convscope.settings import validated
from convscope.training.cell import data_kind
from convscope.training.checkpoint import Trained
from convscope.training.engine import logits_of
from convscope.types import SPLITS, Split


def other_data(trained: Trained, assignments: Sequence[str]) -> DataConfig:
    """The run's own data settings with `data.key=value` laid over them, and the run's classes.

    Raises:
        UserError: for a key that has no effect on a score, or where the clips would not have the
            shape that the net was trained on.
    """
    own = trained.cell.config["data"]
    recipe = {"data": dict(own)}
    for assignment in assignments:
        _refuse_without_effect(assignment.partition("=")[0])
        assign(recipe, assignment)
    values = recipe["data"]
    kind = data_kind(values)
    dropped = own.keys() - kind.model_fields.keys()  # what another kind of data does not know
    values = {key: value for key, value in values.items() if key not in dropped}
    config = validated(kind, {**values, kind.names_key: trained.classes}, "data")
    if config.shape != trained.cell.data.shape:
        raise UserError(
            f"the net was trained on clips of shape {trained.cell.data.shape}, and these would "
            f"have {config.shape}: keep the data.* keys that decide the shape"
        )
    return config


def _refuse_without_effect(key: str) -> None:
    if key.startswith(("model.", "train.", "grid.")) or key in ("data.words", "data.classes"):
        raise UserError(
            f"{key} has no effect on a score: net, training and classes are the run's own; "
            "leave it out, and give data.folder and other keys of data"
        )


def score_on(trained: Trained, data: Dataset, split: Split | Literal["all"]) -> Scores:
    """Scores on the clips of a split, or on all of them."""
    splits = SPLITS if split == "all" else (split,)
    indices = np.concatenate([data.indices(each)[data.scored(each)] for each in splits])
    if len(indices) == 0:
        raise UserError(
            f"data.folder: no clips to score in {data.config.folder} (split {split}): give "
            "another folder, or --split all"
        )
    logits = logits_of(trained.net, trained.front, data.clips, indices)
    matrix = confusion_matrix(data.labels[indices], logits.argmax(axis=1), data.n_classes)
    return scores(matrix, data.classes)
