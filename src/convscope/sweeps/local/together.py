"""Which cells of a sweep are trained together: settled when it first starts."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from convscope.sweeps.driving.cells import SweepCell
from convscope.sweeps.driving.driver import Pool, Sweep
from convscope.sweeps.driving.messages import Slot
from convscope.sweeps.driving.politeness import Politeness
from convscope.sweeps.local.speedup import Speeds
from convscope.training.cell import Cell
from convscope.training.together.fit_together import likeness

MOST = 16
"""Cells at once, where nothing else is said."""
SECONDS_TO_MEASURE = 120.0
"""A measurement that takes longer, as it may where a net is large, says that it does not pay."""

SECONDS_BETWEEN_LOOKS = 1.0

Groups = list[list[Cell]]


def settle(sweep: Sweep, pool: Pool, most: int | None, polite: Politeness) -> list[list[str]]:
    """The names of the cells that are trained together, group by group.

    Args:
        sweep: of its cells those that wait.
        pool: where they are trained.
        most: so many at once, whether it pays or not; None: as many as pay, and on GPUs alone.
        polite: says when a GPU may be measured on.
    """
    waiting = {each.name: each for each in sweep.cells if each.state == "waiting"}
    cells = [each.planned.cell for each in waiting.values()]
    gpus = {slot.gpu for slot in pool.slots if slot.gpu is not None}
    if most is not None:
        found = groups(cells, most)
    else:
        on_gpus = [cell for cell in cells if gpus and cell.train.device != "cpu"]

        def measured(group: Sequence[Cell]) -> Speeds | str:
            slot = _free_gpu(waiting[group[0].name], len(group), sweep, pool, polite)
            return measured_apart(group, slot)

        found = those_that_pay(groups(on_gpus, MOST, len(gpus)), measured, sweep.log)
    return [[cell.name for cell in group] for group in found]


def groups(cells: Sequence[Cell], most: int, n_places: int = 1) -> Groups:
    """Cells that can be trained together, in groups of two or more. Others are in no group.

    Args:
        cells: of any kind.
        most: so many in a group.
        n_places: cells of one kind are spread over so many groups at least.
    """
    alike: dict[str, list[Cell]] = {}
    for cell in cells:
        key = likeness(cell)
        if key is not None:
            alike.setdefault(key, []).append(cell)
    return [
        group
        for each in alike.values()
        for group in _cut(each, min(most, -(-len(each) // n_places)))
        if len(group) > 1
    ]


def _cut(cells: list[Cell], length: int) -> Groups:
    return [cells[start : start + length] for start in range(0, len(cells), length)]


def those_that_pay(
    found: Groups, measured: Callable[[Sequence[Cell]], Speeds | str], log: Callable[[str], None]
) -> Groups:
    """The groups whose cells are faster together than alone; groups of one kind are measured once.

    Args:
        found: what could be trained together.
        measured: measures a group, or says why that failed.
        log: is told what came out.
    """
    known: dict[tuple[str | None, int], Speeds | str] = {}
    kept: Groups = []
    for group in found:
        key = likeness(group[0]), len(group)
        if key not in known:
            known[key] = measured(group)
            log(_in_words(group, known[key]))
        speeds = known[key]
        if isinstance(speeds, Speeds) and speeds.worthwhile:
            kept.append(group)
    return kept


def measured_apart(group: Sequence[Cell], slot: Slot) -> Speeds | str:
    """Measure a group in a process of its own in a slot; or why that failed."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "convscope.sweeps.local.speedup"],
            input=json.dumps([cell.config for cell in group]),
            capture_output=True,
            text=True,
            timeout=SECONDS_TO_MEASURE,
            env={**os.environ, "CUDA_VISIBLE_DEVICES": slot.gpu or ""},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode:
        return done.stderr.strip().rpartition("\n")[2] or f"exit code {done.returncode}"
    return Speeds(**json.loads(done.stdout))


def _free_gpu(
    cell: SweepCell, n_together: int, sweep: Sweep, pool: Pool, polite: Politeness
) -> Slot:
    """A slot on a GPU where cells may start now, once there is one."""
    told = None
    while True:
        for slot in pool.slots:
            if slot.gpu is not None:
                reason = polite.why_wait(slot, cell, [], n_together)
                if reason is None:
                    return slot
        if reason != told:
            told = reason
            sweep.log(f"the measurement whether cells are trained together waits: {reason}")
        time.sleep(SECONDS_BETWEEN_LOOKS)


def _in_words(group: Sequence[Cell], speeds: Speeds | str) -> str:
    who = f"{len(group)} cells like {group[0].name}"
    if isinstance(speeds, str):
        return f"{who} are trained alone, as no measurement was possible: {speeds}"
    how = "together" if speeds.worthwhile else "alone"
    return f"{who} are trained {how}: together {speeds.ratio:.1f} times as fast"
