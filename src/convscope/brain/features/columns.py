"""Features that come in stimulus by stimulus: projected where many, kept where they vary."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.errors import UserError

Array = NDArray[np.float64]

SMALLEST_SHARE = 1e-6
"""Of what a feature averages; where it spreads less over stimuli, it is rounding. The mean over
time of a layer that took its mean away is 4e-8: standardising would make a feature of it."""

COPIES = 2
"""Of all features in memory at most: stimulus by stimulus, and those that vary."""

MEMORY = Path("/proc/meminfo")


@dataclass(frozen=True)
class LayerFeatures:
    """One layer's answers.

    Attributes:
        values: (n_stimuli, n_features) those that vary.
        n_constant: features that were dropped, as they do not vary but for rounding.
    """

    values: NDArray[np.float32]
    n_constant: int


class Columns:
    """Features of one layer while they come in.

    Args:
        name: of the layer.
        n_stimuli: how many will come.
        project: columns to which more are brought; None: none are.
    """

    def __init__(self, name: str, n_stimuli: int, project: int | None = None) -> None:
        self._name = name
        self._n_stimuli = n_stimuli
        self._project = project
        self._rows: list[NDArray[np.float32]] = []
        self._size: Array | float = 0.0

    def add(self, row: Array, size: Array) -> None:
        """Add a stimulus: its features, and the mean magnitude of what went into each.

        Raises:
            UserError: where it has more or fewer than those before.
        """
        kept = projected(row, self._project)
        if self._rows and len(kept) != len(self._rows[0]):
            fewer, more = sorted([len(kept), len(self._rows[0])])
            raise UserError(
                f"features.pooling: {self._name} has {fewer} to {more} features, as the stimuli "
                "differ in length: give mean or max"
            )
        self._rows.append(kept.astype(np.float32))
        self._size = self._size + (size if kept is row else np.zeros(len(kept)))

    @property
    def n_bytes(self) -> int:
        """Of all stimuli, once one is there."""
        return self._rows[0].nbytes * self._n_stimuli

    def varying(self) -> LayerFeatures:
        """Those that vary, once all are there."""
        return varying(np.stack(self._rows), np.asarray(self._size) / len(self._rows))


def varying(values: NDArray[np.floating], size: Array) -> LayerFeatures:
    """The features that vary over stimuli, beyond the rounding of what they average.

    Args:
        values: (n_stimuli, n_features).
        size: (n_features,) mean magnitude of what went into each.
    """
    keep = values.std(axis=0, dtype=np.float64) > SMALLEST_SHARE * np.maximum(1, size)
    return LayerFeatures(values[:, keep].astype(np.float32, copy=False), int((~keep).sum()))


def projected(values: Array, n_columns: int | None) -> Array:
    """(n_columns,) a sparse random projection of more values than that; fewer stay as they are.

    Nearly all entries of the matrix are 0, the others ±1 by a fixed seed (Li, Hastie and Church
    2006, KDD): it is drawn without a look at any data.
    """
    if n_columns is None or len(values) <= n_columns:
        return values
    found: Array = _projection(len(values), n_columns) @ values
    return found


def check_memory(n_bytes: int) -> None:
    """Refuse features that would not fit into memory, where the system tells how much is free.

    Raises:
        UserError: naming both.
    """
    free = _free_bytes()
    if free is not None and COPIES * n_bytes > free:
        raise UserError(
            f"features: {COPIES * n_bytes / 2**30:.1f} GiB are needed and {free / 2**30:.1f} GiB "
            "are free: give features.project, such as 1000, fewer layers, or pooling: mean"
        )


def _free_bytes() -> int | None:
    """Memory that programs could have; None where the system does not tell."""
    try:
        lines = MEMORY.read_text().splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return 1024 * int(found[0]) if found else None


@cache
def _projection(n_values: int, n_columns: int) -> Any:
    """(n_columns, n_values) sparse."""
    from sklearn.random_projection import SparseRandomProjection

    made = SparseRandomProjection(n_columns, random_state=0).fit(np.zeros((1, n_values)))
    return made.components_
