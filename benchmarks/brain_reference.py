"""Ours beside independent figures on public fMRI data: GLM, encoding models, ceilings, RSA.

    python benchmarks/brain_reference.py --reference brain.json --data DIR [--runs DIR]

DIR of --data holds fmri_glm, natsound165 and alice; brain.json has value, tolerance and how of each
figure, computed by scripts that share nothing with this package. --runs holds two trained nets, of
`recipes/words16_residual.yaml` and of custom ch8 with 8 layers, 8 epochs each; without it their
figures are left out, and said to be. A row a figure; exit code 1 where one falls out. --json: one
object a line.
"""

import json
import math
import sys
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from rich.table import Table

from convscope.brain.encoding.draws import block_draws, stimulus_draws
from convscope.brain.encoding.encode import Encoded, encode
from convscope.brain.encoding.partition import partition
from convscope.brain.encoding.ridge import penalty_grid
from convscope.brain.features.acoustic import ACOUSTIC, mel_mean_std
from convscope.brain.features.layers import layer_features
from convscope.brain.features.net import Net, calibrated, net_of_run
from convscope.brain.features.spaces import one_hot
from convscope.brain.features.stimuli import sound
from convscope.brain.glm.design import Design, design_of
from convscope.brain.glm.fit import fit_glm
from convscope.brain.glm.threshold import threshold
from convscope.brain.hrf.convolve import responses
from convscope.brain.hrf.delays import delayed
from convscope.brain.hrf.drift import drift, partial_correlation, without
from convscope.brain.inference.bootstrap import draw_counts, mean_interval
from convscope.brain.inference.ceiling import between_subjects
from convscope.brain.inputs.arrays import read_array
from convscope.brain.inputs.nifti import read_mask, read_volumes
from convscope.brain.records import Run as ScannerRun
from convscope.brain.rsa.compare import compare
from convscope.brain.rsa.rdm import rdm
from convscope.cli.show import print_table
from convscope.models.cnn import build
from convscope.run import Run
from convscope.training.checkpoint import load_trained

Array = NDArray[np.float64]
Figures = Iterator[tuple[str, Any]]

COMPONENTS = ("lowfreq", "highfreq", "envsounds", "pitch", "speech", "music")
GRID = penalty_grid((1e-3, 1e5, 17))


def glm(data: Path) -> Figures:
    """One run with visual and auditory blocks."""
    folder = data / "fmri_glm"
    space = read_mask(folder / "fmri_mask.nii.gz")
    volumes = read_volumes(folder / "fmri_filtered_func_data.nii.gz", space, 3.0).astype(float)
    given = np.asarray(read_array("fmri_design.mat", folder, "design"))
    names = ("1", "1'", "3", "3'")
    run = ScannerRun("run", len(given), design=given[None], design_names=names)
    design = design_of(run, 3.0, "none", already_convolved=True)
    for column, words in (
        ("1", "column 1 (30 s blocks: VISUAL cortex)"),
        ("3", "column 3 (45 s blocks: AUDITORY cortex)"),
    ):
        for noise in ("ols", "ar1"):
            (found,) = fit_glm([volumes], [design], [column], noise)
            peak = np.argwhere(space.mask)[np.nanargmax(found.t)].tolist()
            key = f"glm/{words}/{noise}"
            yield f"{key} max t", np.nanmax(found.t)
            yield f"{key} max z", np.nanmax(found.z)
            yield f"{key} peak ijk", peak
            yield f"{key} peak ijk (of t)", peak
            yield f"{key} n z>3.1", int((found.z > 3.1).sum())
            for two_sided, side in ((False, "one"), (True, "two")):
                passing = threshold(found.z, 0.05, two_sided)
                n = int(passing.passes.sum())
                full = {"z_threshold": passing.z, "n": n}
                yield f"{key} n FDR 0.05 {side}-sided", n if noise == "ols" else full
    (bare,) = fit_glm([volumes], [Design(names, given, 4, False)], ["1"], "ols")
    yield "glm/no constant: max t of column 1", np.nanmax(bare.t)


class Sounds:
    """The 165 natural sounds, their responses and features."""

    def __init__(self, data: Path) -> None:
        folder = data / "natsound165"
        stored = np.load(folder / "responses.npz")
        self.components = stored["component_responses"].astype(float)
        self.voxels = stored["component_responses"] @ stored["component_voxel_weights"]
        self.categories = one_hot(stored["categories"])
        self.is_speech = np.array(["Speech" in name for name in stored["categories"]])
        self.clips = [sound(folder / "sounds" / f"{name}.flac", 16000) for name in stored["sounds"]]
        self.draws = stimulus_draws(range(165), 10, 10, seed=0)
        self.rdm = rdm(self.voxels)

    @cache  # noqa: B019  (one object, as long as the script)
    def acoustic(self, name: str) -> Array:
        function = {**ACOUSTIC, "mel_mean_std": mel_mean_std}[name]
        return np.stack([function(clip[0]) for clip in self.clips])

    def layers(self, net: Net) -> dict[str, Array]:
        found = layer_features(net, self.clips.__getitem__, 165)
        return {name: each.values.astype(float) for name, each in found.items()}

    def encoded(self, x: Array | list[Array], y: Array, n_draws: int = 10) -> Encoded:
        return encode(x, y, self.draws[:n_draws], GRID)

    def r(self, x: Array | list[Array], n_draws: int = 10) -> Array:
        """(n_draws, 6)"""
        return self.encoded(x, self.components, n_draws).r(self.components)


def controls(sounds: Sounds) -> Figures:
    """Encoding models of the components and voxels from spectra alone."""
    for name in (*ACOUSTIC, "mel_mean_std"):
        r = sounds.r(sounds.acoustic(name))
        named = dict(zip(COMPONENTS, r[0], strict=True))
        yield f"natsound/{name}/r seed 0", named
        yield f"natsound/{name}/r mean of 10 fold draws", r.mean(axis=0)
    for name in ("mel_mean", "spectral_all"):
        yield f"natsound/voxels/{name}/median r", _median(sounds, sounds.acoustic(name))


def nets(sounds: Sounds, runs: dict[str, Run]) -> Figures:
    """Encoding models from the layers of trained nets."""
    for family, run in runs.items():
        for name, x in sounds.layers(net_of_run(run)).items():
            key = f"{family}/trained/{name}"
            yield f"natsound/{key}/r mean of 10 fold draws", sounds.r(x).mean(axis=0)
            yield f"natsound/voxels/{key}/median r", _median(sounds, x)


def bands(sounds: Sounds, run: Run) -> Figures:
    """Banded ridge, unique variance and categories: `residual` beside spectra."""
    net = net_of_run(run)
    x, spectral = sounds.layers(net), sounds.acoustic("spectral_all")
    y, labels = sounds.components, sounds.categories
    own = sounds.encoded([spectral], y, 3)
    counts = draw_counts(165, 2000, 0)
    known, unique = {}, {"components": list(COMPONENTS), "R2 spectral": own.r2(y).mean(axis=0)}
    untrained = [_untrained(sounds, run, net, seed) for seed in (1000, 1001, 1002)]
    named = {"act1": x["act1"], "act3": x["act3"]}
    named |= {f"untrained_bn{1000 + i} act3": each["act3"] for i, each in enumerate(untrained)}
    for name, features in named.items():
        n_draws = 1 if name == "act1" else 3
        alone, both = (
            sounds.encoded([features], y, n_draws),
            sounds.encoded([spectral, features], y, n_draws),
        )
        parts = [_first(each) for each in (alone, own, both)]
        first = partition(*parts, y, counts)
        known[name] = {
            "r_spectral": parts[1].r(y)[0],
            "r_net": parts[0].r(y)[0],
            "r_joint": parts[2].r(y)[0],
            "R2_spectral": first.control,
            "R2_net": first.net,
            "R2_joint": first.both,
            "unique_net": first.unique_net,
            "unique_spectral": first.unique_control,
            "shared": first.shared,
        }
        if n_draws == 3:
            whole = partition(alone, own, both, y, counts)
            unique["trained act3" if name == "act3" else name] = {
                "unique_R2_mean_of_3_draws": whole.unique_net,
                "R2_joint": whole.both,
            }
    yield "natsound/banded seed 0", known
    unique["plain ridge on [spectral_all, trained act3], r, seed 0"] = sounds.r(
        np.hstack([spectral, x["act3"]]), 1
    )[0]
    unique["plain ridge on all layers of residual, r, seed 0"] = sounds.r(
        np.hstack(list(x.values())), 1
    )[0]
    yield "natsound/unique", unique
    joined = {
        "category one-hot (11)": [labels],
        "spectral_all": [spectral],
        "spectral_all + category": [spectral, labels],
        "act3 + category": [x["act3"], labels],
        "spectral_all + act3": [spectral, x["act3"]],
        "spectral_all + act3 + category": [spectral, x["act3"], labels],
    }
    told = {key: sounds.r(np.hstack(each)).mean(axis=0) for key, each in joined.items()}
    yield "natsound/category control", {"components": list(COMPONENTS), **told}


def similarities(sounds: Sounds, runs: dict[str, Run]) -> Figures:
    """RSA with the voxels, features as float32."""
    for name in ("power", "mel_mean", "modulation", "spectral_all"):
        yield f"natsound/rsa/{name}", _similarity(sounds, sounds.acoustic(name))
    if "residual" not in runs:
        return
    net = net_of_run(runs["residual"])
    for name, x in sounds.layers(net).items():
        found = _similarity(sounds, x)
        if name == "act3":
            short = rdm(x[:40]), rdm(sounds.voxels[:40])
            found["tau-a raw correlation, first 40 sounds"] = compare(*short, "tau-a")
        yield f"natsound/rsa/residual/trained/{name}", found
    for name, x in _untrained(sounds, runs["residual"], net, 1000).items():
        yield f"natsound/rsa/residual/untrained_bn1000/{name}", _similarity(sounds, x)


def story(data: Path) -> Figures:
    """27 people, 12 minutes of a story: partial correlation, ceilings, held-out correlation."""
    stored = np.load(data / "alice" / "roi_bold.npz")
    bold, power = stored["bold"].astype(float), stored["sound_power"].astype(float)
    trends, runs = drift(362, 2.0, 128.0), np.zeros(362)
    interval = partial(mean_interval, n_draws=10_000, seed=0)
    r = np.stack(
        [partial_correlation(p[:, None], b, trends) for p, b in zip(power, bold, strict=True)]
    )
    cleaned = np.stack([without(each, trends) for each in bold])
    ceiling = between_subjects(cleaned)
    folds = block_draws(runs, 6, 10)
    at_one = np.array([0.999, 1.0, 1.001])
    held_out = []
    for p, y in zip(power, cleaned / cleaned.std(axis=1, keepdims=True), strict=True):
        x = without(delayed((p - p.mean())[:, None], runs, range(-2, 5)), trends)
        held_out.append(encode(x, y, folds, at_one).r(y)[0])
    later = np.array(held_out)
    for i, name in enumerate(stored["rois"]):
        yield f"alice/{name}/sound power as given", _people(r[:, i], interval)
        yield (
            f"alice/{name}/noise ceiling",
            {
                "lower_loo_mean_r": ceiling.lower[i],
                "lower_ci95": interval(ceiling.lower_of[:, i]),
                "upper_mean_r": ceiling.upper[i],
                "mean_pairwise_r": ceiling.pairwise[i],
                "sqrt_pairwise (true-signal ceiling)": ceiling.of_a_perfect_model[i],
            },
        )
        told = _people(later[:, i], interval)
        yield f"alice/{name}/held out", {key: told[key] for key in ("mean_r", "ci95")}
    kernel = responses("spm", 2.0)[0]  # on the grid of the volumes, as the reference has it
    once_more = [np.convolve(p - p.mean(), kernel)[:362, None] for p in power]
    twice = [
        partial_correlation(p, b[:, 2:3], trends)[0] for p, b in zip(once_more, bold, strict=True)
    ]
    yield "alice/convolved once more, LPTL", _people(np.array(twice), interval)


def main(
    reference: Annotated[Path, typer.Option(help="The figures, with tolerance and how.")],
    data: Annotated[Path, typer.Option(help="The folder of the data sets.")],
    runs: Annotated[Path | None, typer.Option(help="The folder of the two trained nets.")] = None,
    only: Annotated[str, typer.Option(help="Keys that begin so.")] = "",
    json_lines: Annotated[bool, typer.Option("--json", help="One object a line.")] = False,
) -> None:
    """Print ours beside theirs; exit 1 where one falls out."""
    known: dict[str, dict[str, Any]] = json.loads(reference.read_text())
    trained = {} if runs is None else _trained(runs)
    rows = []
    for key, ours in _figures(data, trained, only):
        if key not in known or not key.startswith(only):
            continue
        theirs = known.pop(key)
        gap = _gap(ours, theirs["value"])
        tolerance = theirs["tolerance"]
        inside = tolerance is None or gap <= tolerance + 1e-12
        rows.append((key, ours, theirs["value"], tolerance, gap, inside))
        if json_lines:
            value = {"key": key, "ours": _plain(ours), "reference": theirs["value"]}
            print(json.dumps({**value, "tolerance": tolerance, "difference": gap}), flush=True)
    if not json_lines:
        _print(rows, [key for key in known if key.startswith(only)])
    sys.exit(0 if all(inside for *_, inside in rows) else 1)


def _figures(data: Path, runs: dict[str, Run], only: str) -> Figures:
    if "glm".startswith(only[:3]):
        yield from glm(data)
    if "alice".startswith(only[:5]):
        yield from story(data)
    if not "natsound".startswith(only[:8]):
        return
    sounds = Sounds(data)
    yield "natsound/components", list(COMPONENTS)
    yield from similarities(sounds, runs)
    yield from controls(sounds)
    yield from nets(sounds, runs)
    if "residual" in runs:
        yield from bands(sounds, runs["residual"])


def _trained(folder: Path) -> dict[str, Run]:
    """The nets of 8 epochs by their family, of the size that the reference has."""
    found = {}
    for run in map(Run, sorted(folder.iterdir())):
        if run.is_done and run.config["train"]["epochs"] == 8 and run.config["train"]["seed"] == 0:
            family, channels = run.config["model"]["family"], run.config["model"]["base_channels"]
            if (family, channels) in (("residual", 64), ("custom", 8)):
                found[family] = run
    return found


def _untrained(sounds: Sounds, run: Run, net: Net, seed: int) -> dict[str, Array]:
    """Layers of the same architecture, batch norms calibrated on both seconds of each sound."""
    trained = load_trained(run)
    torch.manual_seed(seed)
    fresh = build(trained.cell.model, trained.cell.data.shape, len(trained.classes))  # type: ignore[arg-type]
    whole = torch.from_numpy(np.stack(sounds.clips))
    halves = [whole[:, :, :16000], whole[:, :, 16000:]]
    made = calibrated(net.other(fresh), lambda: iter(halves))
    assert made is not None
    return sounds.layers(net.other(made))


def _median(sounds: Sounds, x: Array) -> float:
    voxels = sounds.voxels.astype(float)
    return float(np.median(sounds.encoded(x, voxels, 1).r(voxels)))


def _similarity(sounds: Sounds, x: Array) -> dict[str, float]:
    x = x.astype(np.float32)
    distances = ("correlation", "euclidean") if x.shape[1] > 1 else ("euclidean",)
    return {
        f"{scale} {distance} spearman vs brain correlation": compare(
            rdm(x, distance, "z" if scale == "z" else "none"), sounds.rdm
        )
        for scale in ("raw", "z")
        for distance in distances
    }


def _people(r: Array, interval: Callable[[Array], Array]) -> dict[str, Any]:
    return {"mean_r": r.mean(), "ci95": interval(r), "n_positive": int((r > 0).sum())}


def _first(each: Encoded) -> Encoded:
    return Encoded(
        each.predictions[:1], each.inner_loss[:1], each.penalties[:1], each.at_ends, each.n_dropped
    )


def _gap(ours: Any, theirs: Any) -> float:
    """The greatest difference of what both have; names must be the same."""
    if isinstance(theirs, dict):
        return max(
            (_gap(ours[key], value) for key, value in theirs.items() if key in ours), default=0.0
        )
    if isinstance(theirs, list):
        return max(_gap(a, b) for a, b in zip(ours, theirs, strict=True))
    if isinstance(theirs, str):
        return 0.0 if ours == theirs else math.inf
    return abs(float(ours) - float(theirs))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(each) for each in value]
    return float(value) if isinstance(value, np.floating) else value


def _print(rows: list[tuple[Any, ...]], missing: list[str]) -> None:
    table = Table("figure", "ours", "reference", "tolerance", "difference", "")
    for key, ours, theirs, tolerance, gap, inside in rows:
        shown = [_short(_plain(value)) for value in (ours, theirs)]
        mark = "" if inside else "OUT"
        table.add_row(
            key, *shown, "" if tolerance is None else f"{tolerance:g}", f"{gap:.2g}", mark
        )
    print_table(table)
    n_out = sum(not inside for *_, inside in rows)
    print(f"{len(rows)} figures, {n_out} out; not computed: {', '.join(missing) or 'none'}")


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return f"{len(value)} values"
    if isinstance(value, list):
        return " ".join(_short(each) for each in value[:6])
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    typer.run(main)
