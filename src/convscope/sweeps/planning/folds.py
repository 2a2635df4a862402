"""`data.fold: all`: an axis of the grid, one cell for each fold."""

from collections.abc import Mapping
from typing import Any

from convscope.data.config import DATA_KINDS
from convscope.data.labelling import FoldsConfig, Labelling
from convscope.data.listing.listing import list_clips
from convscope.data.splitting.folds import fold_numbers
from convscope.errors import UserError
from convscope.settings import validated

FOLD = "data.fold"


def with_all_folds(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe with an axis of its folds where it asks for all; else as it is.

    Their number is `data.folds.n`; of published folds (`by` alone) it is known from the names of
    the files, which are listed.

    Raises:
        UserError: there are no folds to make an axis of, or they cannot be counted.
    """
    data = recipe.get("data") or {}
    if data.get("fold") != "all":
        return dict(recipe)
    folds = data.get("folds")
    if not isinstance(folds, Mapping):
        raise UserError("data.fold=all has no effect without data.folds: give data.folds={n: 5}")
    n = validated(FoldsConfig, folds, "data.folds").n or _count(data)
    data = {key: value for key, value in data.items() if key != "fold"}
    grid = dict(recipe.get("grid") or {})
    grid["product"] = {**(grid.get("product") or {}), FOLD: list(range(1, n + 1))}
    return {**recipe, "data": data, "grid": grid}


def _count(data: Mapping[str, Any]) -> int:
    """How many folds the files name."""
    kind = DATA_KINDS.get(str(data.get("kind")))
    if kind is None or not issubclass(kind, Labelling):
        return 1  # whatever is wrong there is told with the cell
    config = validated(kind, {**data, "fold": 1}, "data").here()
    assert isinstance(config, Labelling), "its kind says so"
    assert config.folds is not None, "asked for above"
    try:
        files = list_clips(config).files
    except UserError as error:
        raise UserError(
            f"data.fold=all: the folds by {config.folds.by} cannot be counted ({error}); or name "
            f"them, data.fold=1,2,3"
        ) from None
    chosen = [file for file in files if config.names is None or file.label in config.names]
    return max(fold_numbers(chosen, config.folds, config.group), default=1)
