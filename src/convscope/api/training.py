"""Trainings and sweeps from Python, as the command line makes them."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from convscope.api.opened import OpenRun
from convscope.api.recipes import Recipe, cell_of, sweep_of
from convscope.api.runs import Runs
from convscope.data.config import DataConfig
from convscope.data.dataset import Dataset
from convscope.data.load import load_dataset
from convscope.progress.bar import progress_bar
from convscope.progress.sweep_view import sweep_view
from convscope.progress.training_bar import TrainingBar
from convscope.run import Run
from convscope.sweeps.driving.driver import View
from convscope.sweeps.planning.grid import SweepRecipe
from convscope.sweeps.run_sweep import Where, run_sweep
from convscope.training.cell import Cell, check_network
from convscope.training.engine import pick_device
from convscope.training.fit import SILENT, Watcher, fit

log = logging.getLogger(__name__)


def train(
    recipe: Recipe, *assignments: str, out: Path | str = "runs", progress: bool = True
) -> OpenRun:
    """Train one cell; the same call again goes on where it stopped, or gives the finished run.

    Args:
        recipe: a YAML file, or what `convscope.recipe` gives.
        assignments: `section.key=value`, laid over it.
        out: the folder that holds the run folders.
        progress: whether a bar says how far it is.

    Raises:
        UserError: for a mistake in the recipe or the data, before the first step.
        RunFailed: where the loss explodes or memory is too small; the last good epoch is kept.

    Examples:
        >>> import convscope as cs
        >>> run = cs.train("recipes/words16_residual.yaml", "data.folder=words",
        ...                "train.epochs=1", "model.base_channels=4", progress=False)
        >>> len(run.epochs), run.confusion.shape
        (1, (16, 16))
    """
    return OpenRun(train_cell(cell_of(recipe, assignments), Path(out), progress).folder)


def sweep(
    recipes: Recipe | SweepRecipe | Sequence[Recipe],
    *assignments: str,
    out: Path | str = "runs",
    workers: int | None = None,
    ray: str | None = None,
    together: int | None = None,
    servers: Path | str | None = None,
    progress: bool = True,
) -> Runs:
    """Train all cells of a grid; the same call again goes on where it stopped.

    Args:
        recipes: YAML files, or what `convscope.recipe` gives.
        assignments: `section.key=a,b` makes an axis of the grid.
        out: the folder that holds the run folders.
        workers: cells at once on this machine; None: as many as fit.
        ray: the address of a Ray cluster; None: this machine.
        together: cells of one architecture in one process; None: as `--together auto`.
        servers: the file of thresholds; None: the one that is found.
        progress: whether it is shown how the sweep stands.

    Returns:
        The runs of the sweep's cells in the order of its recipes, failed ones among them; cells
        that never began have none.

    Raises:
        UserError: for a mistake in a recipe, or a sweep that another process drives.

    Examples:
        >>> import convscope as cs
        >>> runs = cs.sweep("recipes/words16_residual.yaml", "data.folder=words",
        ...                 "train.epochs=1", "model.base_channels=4,5", progress=False)
        >>> len(runs)
        2
    """
    grid = sweep_of(recipes, assignments)
    where = Where(workers, ray, None if servers is None else Path(servers), together)
    with _view(progress) as view:
        run_sweep(grid, Path(out), where, view)
    runs = [Run(Path(out) / cell.name) for cell in grid.cells]
    return Runs(OpenRun(run.folder) for run in runs if run.config)


def train_cell(cell: Cell, out: Path, progress: bool) -> Run:
    """Train a cell, once all is checked that can be without its data."""
    check_network(cell)
    pick_device(cell.train.device)
    with _watcher(cell, progress) as watcher:
        return fit(cell.model, load(cell.data, progress=progress), cell.train, out, watcher)


def load(config: DataConfig, for_training: bool = True, progress: bool = True) -> Dataset:
    """The data, with a bar while they are decoded, and a warning of what was left out."""
    if progress:
        with progress_bar("decoding") as tell:
            data = load_dataset(config, progress=tell, for_training=for_training)
    else:
        data = load_dataset(config, for_training=for_training)
    if data.n_excluded:
        log.warning("%d clips left out, as data.exclude says", data.n_excluded)
    if data.left_out:
        first, n = data.left_out[0], len(data.left_out)
        log.warning("%d bad files left out, such as %s (%s)", n, first.path, first.reason)
    return data


@contextmanager
def _watcher(cell: Cell, progress: bool) -> Iterator[Watcher]:
    if not progress:
        yield SILENT
        return
    with TrainingBar(cell.train.epochs) as bar:
        yield bar


@contextmanager
def _view(progress: bool) -> Iterator[View]:
    if not progress:
        yield View()
        return
    with sweep_view() as view:
        yield view
