"""A whole sweep: from its recipe to a driver that trains its cells."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch

from convscope.run import STATE, Run
from convscope.servers.admission.limits import Limits
from convscope.servers.sensing.sensor import read_machine
from convscope.servers.servers_file import ServersFile, read_servers_file
from convscope.sweeps.driving.bookings import heeding_bookings
from convscope.sweeps.driving.cells import Standing, SweepCell
from convscope.sweeps.driving.driver import Driver, Pool, Sweep, View
from convscope.sweeps.driving.folder import WORKERS_LOG, SweepFolder
from convscope.sweeps.driving.politeness import Politeness
from convscope.sweeps.driving.same_data import move_other_data, refuse_other_data
from convscope.sweeps.local.pool import LocalPool
from convscope.sweeps.local.slots import local_slots
from convscope.sweeps.local.together import settle
from convscope.sweeps.planning.config import SweepConfig
from convscope.sweeps.planning.grid import SweepRecipe
from convscope.sweeps.planning.plan import PlannedCell, failures, order, plan
from convscope.training.attempt import Held, held


@dataclass(frozen=True)
class Where:
    """Where a sweep is trained.

    Attributes:
        workers: cells at once on this machine; None: as many as fit.
        ray: the address of a Ray cluster; None: this machine.
        servers: the file of thresholds; None: the one that is found.
        together: cells of one architecture at once in one process; None: on a GPU as many as a
            measurement says that it pays for, on a CPU one. It counts when a sweep first starts.
    """

    workers: int | None = None
    ray: str | None = None
    servers: Path | None = None
    together: int | None = None


def run_sweep(
    recipe: SweepRecipe, out: Path, where: Where, view: View, new_data: bool = False
) -> Standing:
    """Train the cells of a recipe that are not done, and say how they all stand then.

    Args:
        recipe: the cells.
        out: the folder of runs.
        where: they are trained.
        view: is shown how it gets on.
        new_data: whether cells that were trained on other data than there are now are trained anew;
            their runs are kept in a folder of their own.

    Raises:
        UserError: where another process drives this sweep, it cannot be trained here, or, without
            `new_data`, some of it was trained on other data.
        RunFailed: where the folder of runs cannot be written.
    """
    servers = read_servers_file(where.servers)
    limits_for = _limits(servers, recipe.config)
    folder = SweepFolder(out, recipe.name)
    with folder.held() as dead:
        if dead:
            who = f"process {dead.get('pid')} on {dead.get('host')}"
            folder.log(f"takes over from {who}, which is dead")
        planned = _plan(recipe, folder, new_data, view)
        sweep = Sweep(folder, _cells(planned, folder), recipe.config, view)
        with heeding_bookings(servers, sweep.log) as why_booked:
            pool = _pool(planned, sweep, where)
            if not folder.exists:
                polite = Politeness(limits_for, pool.reading, pool.threads, why_booked=why_booked)
                together = settle(sweep, pool, 1 if where.ray else where.together, polite)
                names = [cell.name for cell in recipe.cells]
                folder.create(recipe.recipes, names, pool.threads, together)
            polite = Politeness(limits_for, pool.reading, folder.threads, why_booked=why_booked)
            return Driver(sweep, pool, polite).run()


def _plan(
    recipe: SweepRecipe, folder: SweepFolder, new_data: bool, view: View
) -> tuple[PlannedCell, ...]:
    """What there is to do, all of it on the same data."""

    def log(text: str) -> None:
        folder.log(text)
        view.line(text)

    planned = plan(recipe.cells, folder.out, recipe.config.attempts)
    if not new_data:
        refuse_other_data(planned, folder.out, log)
        return planned
    move_other_data(planned, folder.out, log)
    return plan(recipe.cells, folder.out, recipe.config.attempts)


def _pool(planned: Iterable[PlannedCell], sweep: Sweep, where: Where) -> Pool:
    config, folder = sweep.config, sweep.folder
    if where.ray is not None:
        from convscope.sweeps.cluster.pool import RayPool

        return RayPool(where.ray, planned, config, folder, sweep.log)
    machine = read_machine(str(folder.out))
    slots = local_slots(planned, config, machine, where.workers, torch.cuda.is_available())
    return LocalPool(slots, folder.out, folder.path / WORKERS_LOG)


def _limits(servers: ServersFile, config: SweepConfig) -> Callable[[str], Limits | None]:
    """The thresholds of a host: the recipe's over those of the servers file."""

    def limits_for(host: str) -> Limits | None:
        base = servers.limits_for(host.partition(":")[0])  # what follows tells nodes on it apart
        return base if config.limits is None else config.limits.over(base or Limits())

    return limits_for


def _cells(planned: Iterable[PlannedCell], folder: SweepFolder) -> list[SweepCell]:
    """The cells in the order in which they are started."""
    cancelled = folder.cancelled
    cells = [_cell(each, folder.out) for each in order(planned)]
    for cell in cells:
        if cell.name in cancelled and cell.state != "done":
            cell.state = "cancelled"
    return cells


def _cell(planned: PlannedCell, out: Path) -> SweepCell:
    """A cell before its first attempt here; one that another process trains waits for its turn."""
    run = Run(out / planned.cell.name)
    _tidy(run, planned)
    waits = planned.state in ("waiting", "running")
    return SweepCell(
        planned,
        state="waiting" if planned.state == "running" else planned.state,
        reason=None if waits else planned.reason,
        epoch=planned.epochs,
        failures=failures(run.status, planned.epochs) if waits else 0,
        memory_bytes=planned.memory_bytes,
    )


def _tidy(run: Run, planned: PlannedCell) -> None:
    """Remove what a killed process left in a run's folder, unless one is at work there."""
    is_over = planned.state == "done" and not run.path(STATE).exists()
    if not is_over and run.folder.is_dir():
        with suppress(Held, OSError), held(run):
            run.tidy()
