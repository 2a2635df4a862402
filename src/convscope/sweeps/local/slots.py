"""How many cells this machine trains at once, and on what."""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from convscope.sweeps.driving.messages import Slot
from convscope.sweeps.planning.config import SweepConfig
from convscope.sweeps.planning.plan import PlannedCell

WORKERS_PER_GPU = 4
"""Where nothing else is said; how many of them work is for the memory of the GPU to say."""
WORKER_BYTES = 2**30
"""What a worker on the CPU is taken to need while nothing was measured."""


def local_slots(
    cells: Iterable[PlannedCell],
    config: SweepConfig,
    machine: Mapping[str, Any],
    workers: int | None = None,
    has_cuda: bool = True,
    environment: Mapping[str, str] = os.environ,
) -> tuple[Slot, ...]:
    """The slots of this machine: on its GPUs where the cells may use them, else on its CPU.

    On the CPU there are as many as there are cores, or as the memory that is free holds.

    Args:
        cells: that are to be trained.
        config: how.
        machine: as the sensor reads it.
        workers: so many slots in all, evenly on the GPUs.
        has_cuda: whether torch can compute on a GPU here.
        environment: CUDA_VISIBLE_DEVICES says which GPUs are ours to use.
    """
    cells = list(cells)
    host = machine["hostname"]
    gpus = visible_gpus(machine, environment) if has_cuda else []
    devices = {cell.cell.train.device for cell in cells}
    slots = []
    if gpus and devices - {"cpu"}:
        n = workers or len(gpus) * (config.workers_per_gpu or WORKERS_PER_GPU)
        slots = [Slot(host, i, gpus[i % len(gpus)]) for i in range(n)]
    if not slots or "cpu" in devices:
        n = workers or _cpu_workers(cells, machine)
        slots += [Slot(host, len(slots) + i) for i in range(n)]
    return tuple(slots)


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def visible_gpus(machine: Mapping[str, Any], environment: Mapping[str, str]) -> list[str]:
    """UUIDs of the GPUs that CUDA_VISIBLE_DEVICES leaves, in its order."""
    uuids = [gpu["uuid"] for gpu in machine["gpus"] if gpu["uuid"]]
    wanted = environment.get("CUDA_VISIBLE_DEVICES")
    if wanted is None:
        return uuids
    return [uuid for word in wanted.split(",") for uuid in _named(word.strip(), uuids)]


def _named(word: str, uuids: Sequence[str]) -> list[str]:
    """The GPU with that number, or whose UUID begins so."""
    if word.isdecimal():
        return list(uuids[int(word) : int(word) + 1])
    return [uuid for uuid in uuids if word and uuid.startswith(word)][:1]


def _cpu_workers(cells: Sequence[PlannedCell], machine: Mapping[str, Any]) -> int:
    need = max([cell.memory_bytes or WORKER_BYTES for cell in cells], default=WORKER_BYTES)
    free = machine["memory_available_bytes"]
    fit = cores() if free is None else free // need
    return max(1, min(cores(), fit, len(cells)))
