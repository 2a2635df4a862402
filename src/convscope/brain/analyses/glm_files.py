"""Files of a GLM: maps, clusters and pictures of each contrast."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from convscope.brain.analyses.glm import GlmResult, designs_of
from convscope.brain.analyses.writing import as_csv
from convscope.brain.inputs.study import Study
from convscope.brain.results import figures, maps
from convscope.figures import to_png


def contrast_row(each: GlmResult) -> dict[str, Any]:
    """One contrast as plain values."""
    return {
        "subject": each.subject,
        "contrast": each.map.name,
        "max_t": float(np.nanmax(each.map.t)),
        "max_z": float(np.nanmax(each.map.z)),
        "threshold_z": each.threshold.z if np.isfinite(each.threshold.z) else None,
        "n_above": int(each.kept.sum()),
        "n_clusters": len(each.clusters),
        "n_freedom": each.map.n_freedom,
    }


def cluster_rows(each: GlmResult) -> list[dict[str, Any]]:
    """The clusters of a contrast as plain values."""
    return [asdict(cluster) for cluster in each.clusters]


def design_figure(study: Study) -> Figure:
    """The design matrices of the first subject."""
    pairs = zip(study.runs, designs_of(study), strict=True)
    return figures.designs_figure([(run.name, each.values, each.names) for run, each in pairs])


def contrast_files(study: Study, each: GlmResult) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the files of one contrast."""
    name = file_name(f"{each.subject}-{each.map.name}")
    if study.space is None:
        rows = [
            {"target": t, "effect": e, "t": float(s), "z": float(z), "above": bool(k)}
            for t, e, s, z, k in zip(
                study.targets, each.map.effect, each.map.t, each.map.z, each.kept, strict=True
            )
        ]
        yield f"{name}.csv", as_csv(rows)
        return
    for kind, values in {"effect": each.map.effect, "t": each.map.t, "z": each.map.z}.items():
        yield from maps.map_files(f"{name}-{kind}", values, study.space).items()
    yield f"{name}-clusters.csv", as_csv(cluster_rows(each))
    limit = each.threshold.z if np.isfinite(each.threshold.z) else 0.0
    shown = np.where(each.kept, each.map.z, 0.0) if each.kept.any() else each.map.z
    title = f"z of {each.map.name}"
    yield f"{name}.png", to_png(maps.slices(shown, study.space, title, limit))
    if study.space.is_known:
        yield f"{name}-glass.png", to_png(maps.glass_brain(shown, study.space, title, limit))
        yield f"{name}-surface.png", to_png(maps.surface(shown, study.space, title, limit))


def file_name(text: str) -> str:
    """A contrast's name as part of a file's."""
    return text.replace("/", "_").replace(" ", "")
