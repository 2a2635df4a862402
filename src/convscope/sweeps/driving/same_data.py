"""Whether the runs of a sweep were trained on the data that the rest of it would be trained on."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

from convscope.data.dataset import Dataset
from convscope.data.load import load_dataset
from convscope.errors import UserError
from convscope.run import STATE, Run
from convscope.sweeps.planning.plan import PlannedCell
from convscope.training.attempt import held, known_fingerprint, what_changed

REPLACED = "replaced"
"""The folder beside the run folders that runs on data of before are moved to."""


def refuse_other_data(
    planned: Iterable[PlannedCell], out: Path, log: Callable[[str], object]
) -> None:
    """Raise a UserError where cells that are left would be trained on other data than the others.

    Data that cannot be loaded here may be there where the cells are trained: that is logged.
    """
    for cells in _by_data(planned):
        runs = _begun(cells, out)
        if not runs or not any(each.state == "waiting" for each in cells):
            continue
        try:
            data = load_dataset(cells[0].cell.data)
        except UserError as error:
            log(f"whether {len(runs)} runs were trained on the same data is not known: {error}")
            continue
        other = _on_other_data(runs, data)
        if other:
            raise UserError(
                f"{len(other)} runs of this sweep, such as {other[0].folder}, were trained on "
                f"other data than are now in {data.config.folder}: "
                f"{what_changed(other[0], data)}: put the data back, give another --out, or "
                f"--new-data to train them anew"
            )


def move_other_data(
    planned: Iterable[PlannedCell], out: Path, log: Callable[[str], object]
) -> None:
    """Move the runs on other data than there are now out of the way, so that they are made anew.

    Raises:
        UserError: the data cannot be loaded, or a run is being trained.
    """
    for cells in _by_data(planned):
        runs = _begun(cells, out)
        if not runs:
            continue
        data = load_dataset(cells[0].cell.data)
        for run in _on_other_data(runs, data):
            place = _free_place(out / REPLACED / f"{run.name}-{str(known_fingerprint(run))[:8]}")
            place.parent.mkdir(exist_ok=True)
            with held(run):
                run.folder.rename(place)
            log(f"{run.name} was trained on other data, and is now {place}")


def _by_data(planned: Iterable[PlannedCell]) -> list[list[PlannedCell]]:
    """The cells, those of the same data settings together."""
    groups: defaultdict[str, list[PlannedCell]] = defaultdict(list)
    for each in planned:
        groups[json.dumps(each.cell.config["data"], sort_keys=True)].append(each)
    return list(groups.values())


def _begun(cells: Iterable[PlannedCell], out: Path) -> list[Run]:
    """Runs that are done, or that a training would go on from."""
    runs = [Run(out / each.cell.name) for each in cells]
    begun = [run for run in runs if run.is_done or run.path(STATE).is_file()]
    return [run for run in begun if known_fingerprint(run) is not None]


def _on_other_data(runs: Iterable[Run], data: Dataset) -> list[Run]:
    return [run for run in runs if known_fingerprint(run) != data.fingerprint]


def _free_place(path: Path) -> Path:
    n = 2
    place = path
    while place.exists():
        place, n = path.with_name(f"{path.name}-{n}"), n + 1
    return place
