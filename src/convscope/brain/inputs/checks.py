"""What is to be said of a study before anything is computed, each with what to do about it."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from convscope.brain.inference.ceiling import rank
from convscope.brain.inputs.findings import Fact, Finding
from convscope.brain.inputs.run_checks import of_runs
from convscope.brain.inputs.study import Study
from convscope.brain.records import Run, Stimuli
from convscope.errors import first_few


def facts(study: Study) -> tuple[Fact, ...]:
    """What there is: counts, shapes, durations."""
    found = [Fact("study", f"{study.name}, {study.hash[:12]}")]
    stimuli = study.stimuli
    if stimuli is not None:
        found.append(Fact("stimuli", f"{len(stimuli):,} {stimuli.kind}s"))
        if stimuli.kind == "sound":
            least, most = stimuli.seconds.min(), stimuli.seconds.max()
            found.append(Fact("seconds", f"{least:.2f}" + f" to {most:.2f}" * bool(least < most)))
        if stimuli.categories is not None:
            found.append(Fact("categories", f"{len(set(stimuli.categories))}"))
    values = study.recordings[0].values
    found.append(Fact("subjects", f"{len(study.recordings)}"))
    if study.is_bold:
        lengths = [run.n_volumes for run in study.runs]
        found.append(Fact("runs", f"{len(lengths)} of {_range(lengths)} volumes"))
        found.append(Fact("TR", f"{study.tr_seconds:g} s"))
        found += [Fact("predictors", _predictors(study.runs[0]))]
    else:
        found.append(Fact("repeats", f"{len(values)}"))
    kind = "voxels" if study.space is not None else "targets"
    found.append(Fact(kind, f"{values.shape[2]:,}"))
    return tuple(found)


def check(study: Study) -> tuple[Finding, ...]:
    """All that is to be said, what misleads most first."""
    found = [
        *_values(study),
        *_stimuli(study),
        *(of_runs(study) if study.is_bold else _per_stimulus(study)),
    ]
    return tuple(sorted(found, key=lambda each: each.level != "warning"))


def _values(study: Study) -> Iterator[Finding]:
    for recording in study.recordings:
        values = recording.values
        finite: NDArray[np.bool_] = np.asarray(np.isfinite(values).all(axis=(0, 1)))
        flat = finite & (np.ptp(np.where(np.isfinite(values), values, 0), axis=1).max(axis=0) == 0)
        of = f" of subject {recording.subject}" if len(study.recordings) > 1 else ""
        if not finite.all():
            yield Finding(
                "warning",
                f"{(~finite).sum():,} of {len(finite):,} targets{of} hold NaN or infinity: "
                "they come out nan",
                "mask them, or see why they were not measured",
            )
        if flat.any():
            yield Finding(
                "warning",
                f"{flat.sum():,} of {len(flat):,} targets{of} do not vary: they come out nan",
                "take them out of the mask",
            )
    if study.space is not None and not study.space.is_known:
        yield Finding(
            "warning",
            "the files do not say where their voxels lie (qform and sform codes are 0): no glass "
            "brain or surface is drawn, and left may be right",
            "set the affine from the scanner's files",
        )


def _stimuli(study: Study) -> Iterator[Finding]:
    stimuli = study.stimuli
    if stimuli is None:
        return
    if stimuli.unused:
        yield Finding(
            "warning",
            f"{len(stimuli.unused)} files of the folder are none of the stimuli, such as "
            f"{first_few((path.name for path in stimuli.unused), 2)}",
            "see that stimuli.files names all that were played",
        )
    yield from _same(stimuli)
    if silent := [n for n, db in zip(stimuli.names, stimuli.levels_db, strict=False) if db < -90]:
        yield Finding(
            "warning", f"{len(silent)} sounds are silent: {first_few(silent)}", "leave them out"
        )
    if stimuli.categories is not None:
        rare = [name for name, n in Counter(stimuli.categories).items() if n < 3]
        if rare:
            yield Finding("note", f"categories of fewer than 3 stimuli: {first_few(rare)}")


def _same(stimuli: Stimuli) -> Iterator[Finding]:
    groups: dict[str, list[str]] = defaultdict(list)
    for name, content in zip(stimuli.names, stimuli.hashes, strict=True):
        groups[content].append(name)
    same = [names for names in groups.values() if len(names) > 1]
    if same:
        yield Finding(
            "warning",
            f"{len(same)} {'stimulus stands' if len(same) == 1 else 'stimuli stand'} under several "
            f"names, such as {' = '.join(same[0][:3])}: they never stand on both sides of a fold",
        )


def _per_stimulus(study: Study) -> Iterator[Finding]:
    assert study.stimuli is not None
    n_folds = study.settings.encoding.n_folds
    n_contents = len(set(study.stimuli.hashes))
    if n_contents <= n_folds:
        yield Finding(
            "warning",
            f"{n_contents} different stimuli are too few for {n_folds} folds",
            "lower encoding.n_folds",
        )
    mean = study.recordings[0].mean
    without = [
        name
        for name, row in zip(study.stimuli.names, mean, strict=True)
        if not np.isfinite(row).any()
    ]
    if without:
        yield Finding(
            "warning",
            f"{len(without)} stimuli have no response at all: {first_few(without)}; no target is "
            "complete",
            "take them out of stimuli.files and of the responses",
        )
    independent = rank(mean)
    if 0 < independent < min(mean.shape) - 1:
        yield Finding(
            "warning",
            f"the responses have rank {independent}, for {len(mean)} stimuli and "
            f"{mean.shape[1]:,} targets: they were denoised, so no noise ceiling exists",
            "do not read scores as a share of what can be explained",
        )
    if len(study.recordings) == 1 and len(study.recordings[0].values) == 1:
        yield Finding(
            "note",
            "one subject (or their mean) and one repeat: there is no noise ceiling, and intervals "
            "are over stimuli alone",
        )


def _predictors(run: Run) -> str:
    if run.design is not None:
        return f"{len(run.design_names)} given: {first_few(run.design_names, 4)}"
    kinds = sorted({event.trial_type for event in run.events})
    return f"{len(run.events)} events of {first_few(kinds, 4)} in the first run"


def _range(values: Sequence[int]) -> str:
    least, most = min(values), max(values)
    return f"{least}" if least == most else f"{least} to {most}"
