"""May a cell start on this machine now? Pure: a record goes in, a reason in words comes out.

A record is what `sensor.read_machine` gives. What it does not know (null) is no reason to wait,
with one exception: a GPU of which neither the memory nor the processes can be read.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from convscope.servers.admission.limits import Limits

MIB, GIB = 2**20, 2**30
CONTEXT_BYTES = 3 * GIB // 4
"""More than CUDA holds for a process beside its tensors."""
MOST_NAMED = 3
"""So many of other people's processes are named in a reason."""

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Ours:
    """What on a machine is ours, and so never other people's."""

    pids: Collection[int]
    login: str | None
    """The login of which every process is ours; None where only `pids` are."""
    load: float = 0
    gpu_bytes: int = 0

    def at_most_on_gpu(self) -> int:
        """What we may hold on the GPU, bytes: our cells and CUDA's own memory."""
        return self.gpu_bytes + CONTEXT_BYTES * len(self.pids) if self.gpu_bytes else 0

    def has(self, process: Record) -> bool:
        """Whether a process is ours; one whose owner is unknown is only by its number."""
        owner = process.get("owner")
        return process.get("pid") in self.pids or (owner is not None and owner == self.login)


def why_wait(
    record: Record,
    limits: Limits,
    gpu_uuid: str | None,
    needs_bytes: int | None,
    own_pids: Collection[int],
    login: str,
    our_load: float = 0,
    our_gpu_bytes: int = 0,
) -> str | None:
    """The first reason for which a cell may not start now, in words; None where it may.

    Args:
        record: the state of the machine.
        limits: what must be free on it.
        gpu_uuid: the GPU that the cell would run on; None for the processor.
        needs_bytes: the memory that the cell needs there; None where nobody knows.
        own_pids: the processes of our sweep.
        login: our login; `limits.count_own_login` says whether its other processes are ours too.
        our_load: what our processes contribute to the machine's load.
        our_gpu_bytes: what our cells on this GPU need together, even if they hold less so far.
    """
    ours = Ours(own_pids, None if limits.count_own_login else login, our_load, our_gpu_bytes)
    needs = needs_bytes or 0
    return (
        (_why_not_on_gpu(record, limits, gpu_uuid, needs, ours) if gpu_uuid else None)
        or _too_little_memory(record, limits, 0 if gpu_uuid else needs)
        or _too_much_load(record, limits, ours)
        or _too_little_disk(record, limits)
    )


def must_pause(
    record: Record,
    limits: Limits,
    gpu_uuid: str | None,
    own_pids: Collection[int],
    login: str,
) -> str | None:
    """Whose process has come to the GPU on which a cell of ours runs; None for nobody's."""
    gpu = find_gpu(record, gpu_uuid) if gpu_uuid else None
    ours = Ours(own_pids, None if limits.count_own_login else login)
    return _used_by_others(gpu, limits, ours) if gpu else None


def find_gpu(record: Record, uuid: str) -> Record | None:
    """The GPU of this UUID, which some programs write without its first letters, GPU-."""
    wanted = uuid.lower().removeprefix("gpu-")
    for gpu in record.get("gpus") or ():
        if str(gpu.get("uuid")).lower().removeprefix("gpu-") == wanted:
            return dict(gpu)
    return None


def _why_not_on_gpu(
    record: Record, limits: Limits, uuid: str, needs: int, ours: Ours
) -> str | None:
    gpu = find_gpu(record, uuid) or {"uuid": uuid}
    return (
        _unreadable(gpu, limits, ours)
        or _used_by_others(gpu, limits, ours)
        or _no_room(gpu, limits, needs, ours)
        or _busy(gpu, limits, ours)
    )


def _unreadable(gpu: Record, limits: Limits, ours: Ours) -> str | None:
    """A GPU that does not tell its processes: whatever is not ours on it is other people's."""
    limit, used = limits.others_gpu_memory_bytes, gpu.get("memory_used_bytes")
    if limit is None or gpu.get("processes") is not None:
        return None
    if used is None:
        return f"neither the memory nor the processes of {_name(gpu)} can be read"
    if used - ours.at_most_on_gpu() > limit:
        return f"{_size(used)} are used on {_name(gpu)}, and its processes cannot be read"
    return None


def _used_by_others(gpu: Record, limits: Limits, ours: Ours) -> str | None:
    limit = limits.others_gpu_memory_bytes
    others = [process for process in gpu.get("processes") or () if not ours.has(process)]
    sizes = [process.get("memory_bytes") for process in others]
    if limit is None or (None not in sizes and sum(sizes) <= limit):
        return None
    others.sort(key=lambda process: process.get("memory_bytes") or 0, reverse=True)
    more = len(others) - MOST_NAMED
    named = ", ".join(map(_process, others[:MOST_NAMED])) + (
        f" and {more} more" if more > 0 else ""
    )
    return f"{_name(gpu)} is used by {named}"


def _no_room(gpu: Record, limits: Limits, needs: int, ours: Ours) -> str | None:
    """Whether the cell finds no room beside what our cells there are still going to take."""
    spare, free = limits.free_gpu_memory_bytes, _free(gpu)
    if spare is None or free is None:
        return None
    room = max(0, free - _still_to_come(gpu, ours))
    if room >= needs + spare:
        return None
    beside = " beside our other cells" if room < free else ""
    return f"{_size(room)} free on {_name(gpu)}{beside}, {_size(needs + spare)} needed"


def _free(gpu: Record) -> int | None:
    """Free memory of a GPU, bytes; it is less than total - used by what the driver reserves."""
    if gpu.get("memory_free_bytes") is not None:
        return int(gpu["memory_free_bytes"])
    total, used = gpu.get("memory_total_bytes"), gpu.get("memory_used_bytes")
    return None if total is None or used is None else int(total) - int(used)


def _still_to_come(gpu: Record, ours: Ours) -> int:
    """What our cells on a GPU need and do not hold yet, bytes.

    Where our processes cannot be seen there, all memory in use is taken for theirs.
    """
    own = [process for process in gpu.get("processes") or () if process.get("pid") in ours.pids]
    if own:
        held = sum(process.get("memory_bytes") or 0 for process in own)
    else:
        held = gpu.get("memory_used_bytes") or 0
    return max(0, ours.gpu_bytes - held)


def _busy(gpu: Record, limits: Limits, ours: Ours) -> str | None:
    """Utilisation is the whole GPU's, so it says something of others only where we are not."""
    limit, share = limits.others_gpu_utilisation, gpu.get("utilisation")
    we_are_there = ours.gpu_bytes > 0 or any(map(ours.has, gpu.get("processes") or ()))
    if limit is None or share is None or we_are_there or share <= limit:
        return None
    return f"{_name(gpu)} is {share:.0%} busy with other people's work, at most {limit:.0%}"


def _too_little_memory(record: Record, limits: Limits, needs: int) -> str | None:
    spare, free = limits.free_memory_bytes, record.get("memory_available_bytes")
    if spare is None or free is None or free >= needs + spare:
        return None
    return f"{_size(free)} of memory free, {_size(needs + spare)} needed"


def _too_much_load(record: Record, limits: Limits, ours: Ours) -> str | None:
    limit, load, cores = limits.load_per_core, record.get("load_1m"), record.get("cores")
    if limit is None or load is None or not cores or load - ours.load <= limit * cores:
        return None
    beside = " beside ours" if ours.load else ""
    return f"load {load - ours.load:.1f}{beside} on {cores} cores, at most {limit:.1f} a core"


def _too_little_disk(record: Record, limits: Limits) -> str | None:
    needed, free = limits.free_disk_bytes, record.get("disk_free_bytes")
    if needed is None or free is None or free >= needed:
        return None
    return f"{_size(free)} free on the disk of the runs, {_size(needed)} needed"


def _name(gpu: Record) -> str:
    index = gpu.get("index")
    return f"GPU {str(gpu.get('uuid')).removeprefix('GPU-') if index is None else index}"


def _process(process: Record) -> str:
    owner = process.get("owner") or "an unknown user"
    program = process.get("command") or f"process {process.get('pid')}"
    memory = process.get("memory_bytes")
    return f"{owner} ({program}, {'memory unknown' if memory is None else _size(memory)})"


def _size(n_bytes: float) -> str:
    """Bytes for people: GiB, or MiB below 0.1 GiB."""
    return f"{n_bytes / GIB:.1f} GiB" if n_bytes >= GIB / 10 else f"{n_bytes / MIB:.0f} MiB"
