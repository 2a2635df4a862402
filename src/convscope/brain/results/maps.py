"""Maps over voxels: as NIfTI, as slices, on a glass brain, on a cortical surface."""

import gzip
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, ListedColormap, Normalize
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Patch
from numpy.typing import ArrayLike, NDArray

from convscope.brain.records import Space
from convscope.errors import UserError
from convscope.figures import style

Array = NDArray[np.float64]

MOST_SLICES = 20

LAYER_COLOURS = (
    "#0072B2",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#E69F00",
    "#D55E00",
    "#CC79A7",
    "#000000",
    "#999999",
)
"""Okabe and Ito's, in the order of depth; of more layers they begin again."""


def volume_of(values: ArrayLike, space: Space) -> Array:
    """(x, y, z) of a map over targets, nan outside of the mask."""
    volume = np.full(space.mask.shape, np.nan)
    volume[space.mask] = np.asarray(values, dtype=np.float64)
    return volume


def nifti_bytes(values: ArrayLike, space: Space) -> bytes:
    """A map as a .nii.gz file; the same values give the same bytes."""
    import nibabel

    image = nibabel.Nifti1Image(volume_of(values, space).astype(np.float32), space.affine)
    if not space.is_known:
        image.header["qform_code"] = image.header["sform_code"] = 0
    content = io.BytesIO()
    with gzip.GzipFile(fileobj=content, mode="wb", mtime=0, filename="") as file:
        file.write(image.to_bytes())
    return content.getvalue()


@style()
def slices(values: ArrayLike, space: Space, name: str, threshold: float = 0.0) -> Figure:
    """Axial slices of a map, in voxel indices: they say nothing of where a brain lies.

    Args:
        values: (n_targets,).
        space: of the targets.
        name: of the values, with their unit.
        threshold: smaller values, in size, stay grey.
    """
    n_columns = _grid(space)[1]
    figure = Figure(figsize=(1.8 * n_columns + 1.0, slices_inches(space)), layout="constrained")
    draw_slices(figure, values, space, name, threshold)
    return figure


def slices_inches(space: Space) -> float:
    """The height that slices take."""
    return 1.9 * _grid(space)[0] + 0.3


def draw_slices(
    figure: Figure | SubFigure, values: ArrayLike, space: Space, name: str, threshold: float = 0.0
) -> None:
    """Slices in a figure, or in a part of one; arguments as `slices`."""
    volume = volume_of(values, space)
    levels = _levels(space)
    n_rows, n_columns = _grid(space)
    limit = float(np.nanmax(np.abs(volume), initial=1e-9))
    shown = np.where(np.abs(volume) >= max(threshold, 1e-12), volume, np.nan)
    for i, level in enumerate(levels):
        axes = figure.add_subplot(n_rows, n_columns, i + 1)
        grey = np.where(space.mask[:, :, level], 0.85, 1.0).T
        axes.imshow(grey, cmap="gray", vmin=0, vmax=1, origin="lower")
        image = axes.imshow(
            shown[:, :, level].T,
            cmap="RdBu_r",
            vmin=-limit,
            vmax=limit,
            origin="lower",
            interpolation="nearest",
        )
        axes.set_title(f"z = {level}", fontsize=8)
        axes.set_axis_off()
    bar = figure.colorbar(image, ax=figure.axes, shrink=0.7)
    bar.set_label(name + (f"\n(|value| at least {threshold:.2f})" if threshold > 0 else ""))


def _levels(space: Space) -> NDArray[np.int64]:
    """Up to `MOST_SLICES` axial levels with voxels, evenly spread."""
    levels = np.flatnonzero(space.mask.any(axis=(0, 1)))
    spread = np.linspace(0, len(levels) - 1, min(MOST_SLICES, len(levels))).astype(int)
    return np.asarray(levels[spread])


def _grid(space: Space) -> tuple[int, int]:
    """Rows and columns of slices."""
    n_columns = min(5, len(_levels(space)))
    return -(-len(_levels(space)) // n_columns), n_columns


@style()
def glass_brain(values: ArrayLike, space: Space, name: str, threshold: float = 0.0) -> Figure:
    """A map seen through the head from three sides.

    Raises:
        UserError: where the files do not say where their voxels lie.
    """
    _need_known(space)
    from nilearn.plotting import plot_glass_brain

    figure = Figure(figsize=(8.0, 3.0))
    plot_glass_brain(
        _image(values, space),
        figure=figure,
        threshold=threshold or None,
        colorbar=True,
        plot_abs=False,
        symmetric_cbar=True,
        cmap="RdBu_r",
        title=name,
    )
    return figure


@style()
def surface(values: ArrayLike, space: Space, name: str, threshold: float = 0.0) -> Figure:
    """A map on the inflated cortex of fsaverage5, which comes with nilearn: both sides, from
    outside and from inside.

    Raises:
        UserError: where the files do not say where their voxels lie.
    """
    _need_known(space)
    from nilearn.datasets import load_fsaverage
    from nilearn.plotting import plot_surf_stat_map
    from nilearn.surface import SurfaceImage

    meshes = load_fsaverage("fsaverage5")
    on_cortex = SurfaceImage.from_volume(meshes["pial"], _image(values, space))
    limit = float(np.nanmax(np.abs(np.asarray(values, np.float64)), initial=1e-9))
    figure = Figure(figsize=(9.0, 2.3))
    for i, (side, view) in enumerate(
        (("left", "lateral"), ("left", "medial"), ("right", "medial"), ("right", "lateral"))
    ):
        axes = figure.add_subplot(1, 4, i + 1, projection="3d")
        plot_surf_stat_map(
            meshes["inflated"],
            on_cortex,
            hemi=side,
            view=view,
            axes=axes,
            figure=figure,
            threshold=threshold or None,
            vmax=limit,
            vmin=-limit,
            cmap="RdBu_r",
            colorbar=False,
            title=f"{side}, {view}",
            engine="matplotlib",
        )
        axes.title.set_fontsize(8)
    figure.subplots_adjust(left=0, right=0.9, bottom=0, top=0.85, wspace=0)
    colours = ScalarMappable(Normalize(-limit, limit), "RdBu_r")
    figure.colorbar(colours, cax=figure.add_axes((0.92, 0.2, 0.015, 0.5)), label=name)
    return figure


@style()
def best_layers(layer: ArrayLike, names: Sequence[str], space: Space) -> Figure:
    """Axial slices with the layer that predicts each voxel best, the deepest last in the legend.

    Args:
        layer: (n_targets,) index of the layer; nan where none is shown.
        names: of the layers.
        space: of the targets.
    """
    colours = [LAYER_COLOURS[i % len(LAYER_COLOURS)] for i in range(len(names))]
    volume = volume_of(layer, space)
    levels = np.flatnonzero(space.mask.any(axis=(0, 1)))
    levels = levels[np.linspace(0, len(levels) - 1, min(10, len(levels))).astype(int)]
    n_columns = min(5, len(levels))
    n_rows = -(-len(levels) // n_columns)
    figure = Figure(figsize=(1.8 * n_columns + 1.6, slices_inches(space)), layout="constrained")
    norm = BoundaryNorm(np.arange(len(names) + 1) - 0.5, len(names))
    for i, level in enumerate(levels):
        axes = figure.add_subplot(n_rows, n_columns, i + 1)
        grey = np.where(space.mask[:, :, level], 0.85, 1.0).T
        axes.imshow(grey, cmap="gray", vmin=0, vmax=1, origin="lower")
        axes.imshow(
            volume[:, :, level].T,
            cmap=ListedColormap(colours),
            norm=norm,
            origin="lower",
            interpolation="nearest",
        )
        axes.set_title(f"z = {level}", fontsize=8)
        axes.set_axis_off()
    handles = [Patch(color=colour, label=name) for colour, name in zip(colours, names, strict=True)]
    figure.legend(handles=handles, loc="outside right center", title="best layer", fontsize=8)
    return figure


def map_files(name: str, values: ArrayLike, space: Space) -> dict[str, bytes]:
    """Files of one map by their names: NIfTI, and npz with mask and affine."""
    buffer = io.BytesIO()
    np.savez(buffer, values=np.asarray(values), mask=space.mask, affine=space.affine)
    return {f"{name}.nii.gz": nifti_bytes(values, space), f"{name}.npz": buffer.getvalue()}


def _image(values: ArrayLike, space: Space) -> Any:
    import nibabel

    volume = np.nan_to_num(volume_of(values, space)).astype(np.float32)
    return nibabel.Nifti1Image(volume, space.affine)


def _need_known(space: Space) -> None:
    if not space.is_known:
        raise UserError(
            "no glass brain and no surface: the files do not say where their voxels lie (qform and "
            "sform codes are 0); set the affine from the scanner's files"
        )
