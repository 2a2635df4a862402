"""How long what is left of a sweep takes, from the epochs that were measured."""

from collections.abc import Iterable

from convscope.sweeps.driving.cells import SweepCell


class Pace:
    """Seconds for each FLOP of a forward pass, as this sweep's epochs took them so far.

        seconds left ≈ Σ (epochs left · FLOPs of a clip) · (Σ seconds / Σ FLOPs of a clip) / slots

    over the epochs to come and those that were measured; all cells of a sweep are taken to have as
    many clips. Early stopping makes it less.
    """

    def __init__(self) -> None:
        self._seconds = 0.0
        self._work = 0.0

    def add(self, cell: SweepCell, seconds: float) -> None:
        """An epoch of a cell took so long."""
        self._seconds += seconds
        self._work += _work(cell)

    def seconds_left(self, cells: Iterable[SweepCell], n_slots: int) -> float | None:
        """For the cells that wait or run; None while no epoch was measured."""
        if not self._work:
            return None
        open_cells = (cell for cell in cells if cell.state in ("waiting", "running"))
        work = sum((cell.epochs - cell.epoch - cell.step) * _work(cell) for cell in open_cells)
        return max(0.0, work * self._seconds / self._work / max(1, n_slots))


def _work(cell: SweepCell) -> float:
    """FLOPs of a clip; of a net that cannot be described, those of any other."""
    return float(cell.planned.flops or 1)
