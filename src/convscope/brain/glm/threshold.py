"""Which targets of a map pass a threshold, and the clusters that they form."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from convscope.brain.records import Space

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Thresholded:
    """What passes.

    Attributes:
        z: the threshold; infinite where nothing passes.
        passes: (n_targets,).
        two_sided: whether decreases count.
    """

    z: float
    passes: NDArray[np.bool_]
    two_sided: bool


@dataclass(frozen=True)
class Cluster:
    """Neighbouring voxels above the threshold (sharing a face, an edge or a corner).

    Attributes:
        n_voxels: of it.
        peak_z: of greatest size.
        peak_voxel: its indices.
        peak_mm: its place; None where the file does not say where its voxels lie.
    """

    n_voxels: int
    peak_z: float
    peak_voxel: tuple[int, int, int]
    peak_mm: tuple[float, float, float] | None


def threshold(z: ArrayLike, alpha: float, two_sided: bool) -> Thresholded:
    """The false discovery rate held at alpha (Benjamini and Hochberg 1995), on z values.

    Args:
        z: (n_targets,), nan where there is none.
        alpha: the expected share of those that pass that are wrong.
        two_sided: whether decreases count: then alpha is halved for each side.
    """
    from nilearn.glm import fdr_threshold

    values = np.asarray(z, dtype=np.float64)
    sized = np.abs(values) if two_sided else values
    known = sized[np.isfinite(sized)]
    limit = float(fdr_threshold(known, alpha / 2 if two_sided else alpha)) if len(known) else np.inf
    with np.errstate(invalid="ignore"):
        passes: NDArray[np.bool_] = sized > limit
    return Thresholded(limit, passes, two_sided)


def clusters(
    z: ArrayLike, passing: Thresholded, space: Space, least_voxels: int = 0
) -> tuple[tuple[Cluster, ...], NDArray[np.bool_]]:
    """The clusters of at least so many voxels, the largest first, and which targets they hold.

    Increases and decreases form clusters of their own.
    """
    from scipy.ndimage import label

    values = np.asarray(z, dtype=np.float64)
    kept = np.zeros(len(values), dtype=bool)
    found = []
    index = np.full(space.mask.shape, -1)
    index[space.mask] = np.arange(len(values))
    for sign in (1, -1) if passing.two_sided else (1,):
        chosen = np.zeros(space.mask.shape, dtype=bool)
        chosen[space.mask] = passing.passes & (np.sign(values) == sign)
        labels, n = label(chosen, structure=np.ones((3, 3, 3)))
        for i in range(1, n + 1):
            members = index[labels == i]
            if len(members) >= max(least_voxels, 1):
                kept[members] = True
                found.append(_cluster(values, members, space))
    return tuple(sorted(found, key=lambda each: (-each.n_voxels, -abs(each.peak_z)))), kept


def _cluster(z: Array, members: NDArray[np.int64], space: Space) -> Cluster:
    peak = members[np.abs(z[members]).argmax()]
    voxel = np.argwhere(space.mask)[peak]
    place = space.affine @ [*voxel, 1]
    x, y, height = (int(each) for each in voxel)
    mm = (float(place[0]), float(place[1]), float(place[2])) if space.is_known else None
    return Cluster(len(members), float(z[peak]), (x, y, height), mm)
