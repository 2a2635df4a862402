"""Time and memory of cells, from what runs took that are there. Without any, both are unknown."""

import json
import os
from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

from convscope.errors import UserError
from convscope.models.spec import ConvNetSpec
from convscope.run import Run
from convscope.sweeps.planning.size import Size, network_key, size_of
from convscope.training.cell import Cell, cell_of

MOST_RUNS_READ = 500
"""Reading one takes about half a millisecond, or ten where its config is read too."""

NEIGHBOURS = 2
"""Measured runs on each side, by the memory that a step needs, that memory is estimated from."""


@dataclass(frozen=True)
class Measured:
    """What one run took.

    Attributes:
        cell: that was trained.
        size: of its network; None where only its data folder knew the classes.
        n_clips: to train on.
        epoch_seconds: mean of its epochs.
        share: epochs done, of the most that the recipe allowed; None where it is not done.
        peak_bytes: the most memory that was held; None where it was not measured.
        machine: device and threads.
    """

    cell: Cell
    size: Size | None
    n_clips: int
    epoch_seconds: float
    share: float | None
    peak_bytes: int | None
    machine: tuple[str, int]


class Estimates:
    """What cells will take, by the runs of the device and threads that most were measured on.

    An epoch's time is that of the same network and batch size, per clip. Else it is
    FLOPs · clips / throughput, with the median throughput of the family's runs, else of all runs.
    """

    def __init__(self, measured: Iterable[Measured], runs_code: bool = True) -> None:
        self._runs_code = runs_code
        runs = _of_commonest_machine(list(measured))
        self._rate = _medians(_rates(runs))
        self._seconds_per_clip = _medians(
            (network_key(run.cell), run.epoch_seconds / run.n_clips) for run in runs
        )
        self._n_clips = _medians((_data(run.cell), run.n_clips) for run in runs)
        self._any_n_clips = median(run.n_clips for run in runs) if runs else None
        shares = [run.share for run in runs if run.share is not None]
        self._share = median(shares) if shares else 1.0
        self._peak = _largest((network_key(run.cell), run.peak_bytes) for run in runs)
        self._needs = sorted(
            (_need(run.cell, run.size), run.peak_bytes)
            for run in runs
            if run.size is not None and run.peak_bytes is not None
        )

    def seconds(self, cell: Cell) -> float | None:
        """Of a whole training; None while nothing was measured, or the FLOPs are not known."""
        n_clips = self._n_clips.get(_data(cell), self._any_n_clips)
        per_clip = self._seconds_per_clip.get(network_key(cell)) or self._by_flops(cell)
        if n_clips is None or per_clip is None:
            return None
        return round(per_clip * n_clips * cell.train.epochs * self._share, 3)

    def memory_bytes(self, cell: Cell) -> int | None:
        """The most memory that a training holds; None while nothing was measured.

        That of the same network and batch size; else the largest of what the runs say whose steps
        need a little more or less: a run's peak, times the needs' ratio where the cell needs more.
        """
        known = self._peak.get(network_key(cell))
        size = size_of(cell, self._runs_code)
        if known is not None or size is None or not self._needs:
            return known
        need = _need(cell, size)
        i = bisect(self._needs, (need, 0))
        near = self._needs[max(0, i - NEIGHBOURS) : i + NEIGHBOURS]
        return round(max(peak * max(1.0, need / other) for other, peak in near))

    def _by_flops(self, cell: Cell) -> float | None:
        size = size_of(cell, self._runs_code)
        rate = self._rate.get(_family(cell), self._rate.get(None))
        return size.flops / rate if size and rate else None


def estimates(cells: Mapping[str, Cell], out: Path, runs_code: bool = True) -> Estimates:
    """Estimates from the runs in a folder: done ones, and unfinished ones with an epoch.

    At most `MOST_RUNS_READ` are read: of the cells' own runs one for each network, evenly spread
    over their order where there are more; then the others of them; then the folder's others.

    Args:
        cells: to be estimated, by name; those that are runs in `out` need no config read.
        out: holds the run folders; it may not be there.
        runs_code: whether users' own networks are built to know their sizes.
    """
    there = _folders(out)
    own = [name for name in cells if name in there]
    one_each = list({network_key(cells[name]): name for name in own}.values())
    step = -(-len(one_each) // MOST_RUNS_READ) or 1
    candidates = [*one_each[::step], *own, *sorted(there - cells.keys())]
    names = list(dict.fromkeys(candidates))[:MOST_RUNS_READ]
    runs = (_measured(Run(out / name), cells.get(name), runs_code) for name in names)
    return Estimates((run for run in runs if run is not None), runs_code)


def _folders(out: Path) -> set[str]:
    try:
        with os.scandir(out) as entries:
            return {entry.name for entry in entries if entry.is_dir()}
    except FileNotFoundError:
        return set()


def _measured(run: Run, cell: Cell | None, runs_code: bool) -> Measured | None:
    """What a run took; None for a run without an epoch, and for a folder that is no run."""
    try:
        seconds = [row["seconds"] for row in run.epochs]
        if not seconds:
            return None
        cell = cell or _known_cell(run)
        environment = run.environment
        return Measured(
            cell=cell,
            size=size_of(cell, runs_code),
            n_clips=environment["data"]["clips"]["train"],
            epoch_seconds=mean(seconds),
            share=len(seconds) / cell.train.epochs if run.is_done else None,
            peak_bytes=run.status.get("peak_memory_bytes"),
            machine=(environment["device"], environment["threads"]),
        )
    except (UserError, KeyError, TypeError, ValueError):
        return None  # damaged, or of another version: no measure to go by


def _known_cell(run: Run) -> Cell:
    """The cell of a run that the plan does not hold; a user's own net is not run for it."""
    cell = cell_of(run)
    if not isinstance(cell.model, ConvNetSpec):
        raise ValueError("its size is not known without running its file")
    return cell


def _of_commonest_machine(runs: list[Measured]) -> list[Measured]:
    counts = Counter(run.machine for run in runs)
    commonest = max(counts, key=counts.__getitem__, default=None)
    return [run for run in runs if run.machine == commonest]


def _rates(runs: Iterable[Measured]) -> Iterator[tuple[str | None, float]]:
    """FLOPs of all clips in a second, by family and, under None, for all."""
    for run in runs:
        if run.size and run.epoch_seconds:
            rate = run.size.flops * run.n_clips / run.epoch_seconds
            yield _family(run.cell), rate
            yield None, rate


def _medians(pairs: Iterable[tuple[Hashable, float]]) -> dict[Hashable, float]:
    groups: dict[Hashable, list[float]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return {key: median(values) for key, values in groups.items()}


def _largest(pairs: Iterable[tuple[Hashable, int | None]]) -> dict[Hashable, int]:
    most: dict[Hashable, int] = {}
    for key, value in pairs:
        if value is not None:
            most[key] = max(value, most.get(key, 0))
    return most


def _need(cell: Cell, size: Size) -> int:
    return size.training_bytes(cell.train.batch_size)


def _data(cell: Cell) -> str:
    return json.dumps(cell.data.identity(), sort_keys=True)


def _family(cell: Cell) -> str:
    return cell.model.family
