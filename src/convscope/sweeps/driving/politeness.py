"""Whether a cell may start in a slot, or must make way there for other people."""

import getpass
from collections.abc import Callable, Sequence

from convscope.servers.admission.admission import find_gpu, must_pause, why_wait
from convscope.servers.admission.limits import Limits
from convscope.servers.bookings.booked import NO_GPU
from convscope.sweeps.driving.bookings import WhyBooked, nobody
from convscope.sweeps.driving.cells import SweepCell
from convscope.sweeps.driving.messages import Slot
from convscope.sweeps.driving.monitor import Reading


class Politeness:
    """What must wait for other people, and for room.

    Args:
        limits_for: the thresholds of a host; None where none are given.
        reading: the latest reading of a host; None while there is none.
        threads: what each of our workers adds to the load of its machine.
        login: ours.
        why_booked: says what other people have booked.
    """

    def __init__(
        self,
        limits_for: Callable[[str], Limits | None],
        reading: Callable[[str], Reading | None],
        threads: int,
        login: str | None = None,
        why_booked: WhyBooked = nobody,
    ) -> None:
        self._limits_for = limits_for
        self._reading = reading
        self._threads = threads
        self._login = login or getpass.getuser()
        self._why_booked = why_booked

    def why_wait(
        self, slot: Slot, cell: SweepCell, running: Sequence[SweepCell], n_together: int = 1
    ) -> str | None:
        """Why a cell may not start in a slot now; None where it may.

        Args:
            slot: that is free.
            cell: that is to start there.
            running: our cells that run, wherever that is.
            n_together: so many cells of its size are to start there together.
        """
        limits, reading = self._limits(slot), self._reading(slot.host)
        if reading is None and (limits or slot.gpu):
            return f"a first look at {slot.host}"
        return self._booked(slot) or self._why_full(slot, cell, running, n_together)

    def _why_full(
        self, slot: Slot, cell: SweepCell, running: Sequence[SweepCell], n_together: int
    ) -> str | None:
        limits, reading = self._limits(slot), self._reading(slot.host)
        if limits is None or reading is None:
            return None
        beside = _beside(slot, running)
        if beside and not all(each.memory_bytes is not None for each in [cell, *beside]):
            return "the GPU to be free, as its memory was not measured yet"
        return why_wait(
            reading.machine,
            limits,
            slot.gpu,
            cell.memory_bytes and cell.memory_bytes * n_together,
            reading.own_pids,
            self._login,
            our_load=self._threads * _workers(slot.host, running),
            our_gpu_bytes=sum(each.memory_bytes or 0 for each in beside),
        )

    def is_crowded(self, slot: Slot, running: Sequence[SweepCell]) -> bool:
        """Whether something else than what has just ended in a slot holds memory of its GPU."""
        return bool(_beside(slot, running)) or self._others(slot) is not None

    def must_pause(self, slot: Slot) -> str | None:
        """Why what runs in a slot must make way there; None where it need not."""
        return self._others(slot) or (self._booked(slot) if slot.gpu is not None else None)

    def _booked(self, slot: Slot) -> str | None:
        """Who else has booked what a slot runs on."""
        if slot.gpu is None:
            return self._why_booked(slot.host, NO_GPU)
        reading = self._reading(slot.host)
        gpu = find_gpu(reading.machine, slot.gpu) if reading else None
        return self._why_booked(slot.host, gpu["index"] if gpu else None)

    def _others(self, slot: Slot) -> str | None:
        """Whose process has come to the GPU of a slot."""
        limits, reading = self._limits(slot), self._reading(slot.host)
        if limits is None or reading is None or slot.gpu is None:
            return None
        return must_pause(reading.machine, limits, slot.gpu, reading.own_pids, self._login)

    def _limits(self, slot: Slot) -> Limits | None:
        """Without thresholds only a GPU is looked at."""
        return self._limits_for(slot.host) or (Limits() if slot.gpu is not None else None)


def _workers(host: str, running: Sequence[SweepCell]) -> int:
    """How many of our workers are busy on a machine."""
    return len({each.slot.place for each in running if each.slot and each.slot.host == host})


def _beside(slot: Slot, running: Sequence[SweepCell]) -> list[SweepCell]:
    """Our cells on the same GPU."""
    if slot.gpu is None:
        return []
    place = (slot.host, slot.gpu)
    return [each for each in running if each.slot and (each.slot.host, each.slot.gpu) == place]
