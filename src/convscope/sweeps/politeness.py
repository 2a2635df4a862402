"""Whether a cell may start in a slot, or must make way there for other people."""

import getpass
from collections.abc import Callable, Sequence

from convscope.servers.admission import must_pause, why_wait
from convscope.servers.limits import Limits
from convscope.sweeps.cells import SweepCell
from convscope.sweeps.messages import Slot
from convscope.sweeps.monitor import Reading


class Politeness:
    """What must wait for other people, and for room.

    Args:
        limits_for: the thresholds of a host; None where none are given.
        reading: the latest reading of a host; None while there is none.
        threads: what each of our workers adds to the load of its machine.
        login: ours.
    """

    def __init__(
        self,
        limits_for: Callable[[str], Limits | None],
        reading: Callable[[str], Reading | None],
        threads: int,
        login: str | None = None,
    ) -> None:
        self._limits_for = limits_for
        self._reading = reading
        self._threads = threads
        self._login = login or getpass.getuser()

    def why_wait(self, slot: Slot, cell: SweepCell, running: Sequence[SweepCell]) -> str | None:
        """Why a cell may not start in a slot now; None where it may.

        Args:
            slot: that is free.
            cell: that is to start there.
            running: our cells that run, wherever that is.
        """
        limits = self._limits(slot)
        if limits is None:
            return None
        reading = self._reading(slot.host)
        if reading is None:
            return f"a first look at {slot.host}"
        beside = _beside(slot, running)
        if beside and not all(each.memory_bytes is not None for each in [cell, *beside]):
            return "the GPU to be free, as its memory was not measured yet"
        return why_wait(
            reading.machine,
            limits,
            slot.gpu,
            cell.memory_bytes,
            reading.own_pids,
            self._login,
            our_load=self._threads * sum(each.host == slot.host for each in running),
            our_gpu_bytes=sum(each.memory_bytes or 0 for each in beside),
        )

    def is_crowded(self, slot: Slot, running: Sequence[SweepCell]) -> bool:
        """Whether something else than what has just ended in a slot holds memory of its GPU."""
        return bool(_beside(slot, running)) or self.must_pause(slot) is not None

    def must_pause(self, slot: Slot) -> str | None:
        """Why what runs in a slot must make way there; None where it need not."""
        limits, reading = self._limits(slot), self._reading(slot.host)
        if limits is None or reading is None or slot.gpu is None:
            return None
        return must_pause(reading.machine, limits, slot.gpu, reading.own_pids, self._login)

    def _limits(self, slot: Slot) -> Limits | None:
        """Without thresholds only a GPU is looked at."""
        return self._limits_for(slot.host) or (Limits() if slot.gpu is not None else None)


def _beside(slot: Slot, running: Sequence[SweepCell]) -> list[SweepCell]:
    """Our cells on the same GPU."""
    if slot.gpu is None:
        return []
    place = (slot.host, slot.gpu)
    return [each for each in running if each.slot and (each.slot.host, each.slot.gpu) == place]
