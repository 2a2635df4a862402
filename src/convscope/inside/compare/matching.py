"""Which units of two nets do the same: by their answers to the same clips, and by their weights."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool1d, adaptive_avg_pool2d

POSITIONS = {1: 16, 2: 4}
"""Along each axis of the layer; two layers need not have the same number of positions."""


@dataclass
class Correlation:
    """The correlation of each unit of a layer with each of another's, batch by batch.

    Over clips and 16 positions of time, or 4 by 4 of an image, to which a layer is averaged.

    Source: Y. Li and others, Convergent learning, ICLR (2016), section 3.
    """

    n: int = 0
    _sums: list[NDArray[np.float64]] = field(default_factory=list)

    def add(self, answer: Tensor, other: Tensor) -> None:
        """Count the answers (n_clips, n_units, …) of both layers to the same clips."""
        x, y = _resampled(answer), _resampled(other)
        if len(x) != len(y):  # one has positions, the other has none
            x, y = _averaged(answer), _averaged(other)
        parts = [x.sum(0), y.sum(0), (x**2).sum(0), (y**2).sum(0), x.T @ y]
        before = self._sums or [np.zeros_like(part) for part in parts]
        self._sums = [a + b for a, b in zip(before, parts, strict=True)]
        self.n += len(x)

    @property
    def r(self) -> NDArray[np.float64]:
        """(n_units, n_other_units); 0 for a unit that is constant."""
        x, y, xx, yy, xy = self._sums
        covariance = xy - np.outer(x, y) / self.n
        spread = np.sqrt(np.outer(_variation(x, xx, self.n), _variation(y, yy, self.n)))
        return np.asarray(np.divide(covariance, spread, out=np.zeros_like(xy), where=spread > 0))


@dataclass(frozen=True)
class Matches:
    """The best partner of each unit in another layer.

    Attributes:
        best: (n_units,) the other unit that is most alike; one may be the best of several.
        likeness: (n_units,) how much.
        partner: (n_units,) the other unit where each is taken once, so that the sum is greatest;
            -1 for those that are left over.
    """

    best: NDArray[np.int64]
    likeness: NDArray[np.float64]
    partner: NDArray[np.int64]


def matches(likeness: NDArray[np.float64]) -> Matches:
    """The matches in a table (n_units, n_other_units): each unit's best, and one to one."""
    rows, columns = linear_sum_assignment(likeness, maximize=True)
    partner = np.full(len(likeness), -1, np.int64)
    partner[rows] = columns
    best = likeness.argmax(axis=1)
    return Matches(best, likeness[np.arange(len(best)), best], partner)


def filter_likeness(weight: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float64]:
    r"""How alike filters are, wherever in their window they lie and whatever their sign.

        max over shifts s of | Σ w(t) v(t + s) | / (‖w‖ ‖v‖),

    between 0 and 1, through the FFT. Filters may have different lengths.

    Args:
        weight: (n_filters, n_channels, n_taps, …).
        other: (n_other_filters, n_channels, n_other_taps, …).

    Raises:
        ValueError: they see different numbers of channels.
    """
    if weight.shape[1] != other.shape[1] or weight.ndim != other.ndim:
        raise ValueError(f"expected filters over the same input, {weight.shape}, {other.shape}")
    axes = tuple(range(2, weight.ndim))
    size = [a + b - 1 for a, b in zip(weight.shape[2:], other.shape[2:], strict=True)]
    own = np.fft.rfftn(_unit_norm(weight), size, axes)
    them = np.fft.rfftn(_unit_norm(other), size, axes)
    likeness = np.empty((len(own), len(them)))
    for i, each in enumerate(own):
        products = (each.conj() * them).sum(axis=1)
        shifted = np.fft.irfftn(products, size, tuple(a - 1 for a in axes))
        likeness[i] = np.abs(shifted).reshape(len(them), -1).max(axis=1)
    return likeness


def response_likeness(
    weight: NDArray[np.float32], other: NDArray[np.float32]
) -> NDArray[np.float64]:
    """The cosine of two filters' magnitude responses, RMS over channels: 1 for the same band.

    Args:
        weight: (n_filters, n_channels, n_taps, …).
        other: (n_other_filters, n_other_channels, n_other_taps, …), at the same rate.
    """
    one, two = _magnitudes(weight), _magnitudes(other)
    return np.asarray(one @ two.T)


def _magnitudes(weight: NDArray[np.float32]) -> NDArray[np.float64]:
    """Unit-norm magnitude responses (n_filters, n_bins)."""
    n_axes = weight.ndim - 2
    size = [4096] if n_axes == 1 else [64] * n_axes
    spectrum = np.abs(np.fft.rfftn(weight.astype(np.float64), size, tuple(range(2, weight.ndim))))
    magnitude = np.sqrt((spectrum**2).mean(axis=1)).reshape(len(weight), -1)
    return np.asarray(magnitude / np.maximum(np.linalg.norm(magnitude, axis=1)[:, None], 1e-30))


def _unit_norm(weight: NDArray[np.float32]) -> NDArray[np.float64]:
    flat = weight.reshape(len(weight), -1).astype(np.float64)
    norm = np.maximum(np.linalg.norm(flat, axis=1), 1e-30)
    return np.asarray((flat / norm[:, None]).reshape(weight.shape))


def _resampled(answer: Tensor) -> NDArray[np.float64]:
    """(n_clips · n_positions, n_units)."""
    n_axes = answer.dim() - 2
    if n_axes == 1:
        answer = adaptive_avg_pool1d(answer.float(), POSITIONS[1])
    elif n_axes == 2:
        answer = adaptive_avg_pool2d(answer.float(), POSITIONS[2])
    flat = answer.detach().flatten(2) if n_axes else answer.detach()[..., None]
    return np.asarray(flat.movedim(1, 2).flatten(0, 1).double().cpu().numpy())


def _averaged(answer: Tensor) -> NDArray[np.float64]:
    flat = answer.detach().flatten(2).mean(dim=2) if answer.dim() > 2 else answer.detach()
    return np.asarray(flat.double().cpu().numpy())


def _variation(
    total: NDArray[np.float64], squares: NDArray[np.float64], n: int
) -> NDArray[np.float64]:
    """Σ(x - x̄)²; what is rounding only counts as 0."""
    spread = squares - total**2 / n
    return np.asarray(np.where(spread > 1e-10 * np.maximum(squares, 1e-30), spread, 0.0))
