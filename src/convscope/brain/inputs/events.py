"""What happened when: BIDS events, and confounds, of each run."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convscope.brain.inputs.arrays import column_of_numbers, read_table
from convscope.brain.records import Event
from convscope.errors import UserError, first_few
from convscope.names import find_name


def read_events(
    path: Path, stimuli: tuple[str, ...], first_volume_seconds: float
) -> tuple[Event, ...]:
    """The events of a BIDS events.tsv: onset, duration, trial_type, stim_file.

    Args:
        path: of the file.
        stimuli: names; `stim_file` must be one of them, with or without its ending and folder.
        first_volume_seconds: of the first volume on the file's clock; onsets count from it.

    Raises:
        UserError: where a column is missing, a number is none, a duration is negative, or a
            stimulus is not there.
    """
    where = "responses.events"
    columns = read_table(path, where)
    for name in ("onset", "duration"):
        if name not in columns:
            raise UserError(
                f"{where}: {path} lacks the column {name}: expected onset, duration and "
                f"trial_type, got {first_few(columns, 6)}"
            )
    onsets = column_of_numbers(columns["onset"], path, "onset", where)
    durations = column_of_numbers(columns["duration"], path, "duration", where)
    if np.isnan(onsets).any():
        raise UserError(f"{where}: {path}, line {int(np.isnan(onsets).argmax()) + 2}: no onset")
    if (durations < 0).any():
        line = int((durations < 0).argmax()) + 2
        raise UserError(
            f"{where}: {path}, line {line}: expected a duration of 0 s or more, got "
            f"{durations[line - 2]:g}"
        )
    files = columns.get("stim_file", [""] * len(onsets))
    types = columns.get("trial_type") or [Path(name).stem or "event" for name in files]
    return tuple(
        Event(
            float(onset) - first_volume_seconds,
            float(np.nan_to_num(duration)),
            kind or "event",
            _stimulus(file, stimuli, path, i + 2),
        )
        for i, (onset, duration, kind, file) in enumerate(
            zip(onsets, durations, types, files, strict=True)
        )
    )


def read_confounds(
    path: Path, wanted: tuple[str, ...], n_volumes: int
) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Columns to be explained away, and their names; an n/a at the beginning becomes the mean.

    Args:
        path: a TSV or CSV with headings.
        wanted: columns; none: all of numbers.
        n_volumes: of the run.

    Raises:
        UserError: where a wanted column is not there, or the file has another number of lines.
    """
    where = "responses.confounds"
    columns = read_table(path, where)
    for name in wanted:
        if name not in columns:
            raise UserError(f"{where}: {path} lacks {name}: it has {first_few(columns, 8)}")
    names = wanted or tuple(columns)
    values = np.stack([column_of_numbers(columns[name], path, name, where) for name in names], 1)
    if len(values) != n_volumes:
        raise UserError(
            f"{where}: {path} has {len(values)} lines for a run of {n_volumes} volumes: expected "
            "one for each volume"
        )
    with np.errstate(invalid="ignore"):
        means = np.nan_to_num(np.nanmean(values, axis=0))
    return names, np.where(np.isnan(values), means, values)


def _stimulus(file: str, stimuli: tuple[str, ...], path: Path, line: int) -> int | None:
    if not file or file.lower() == "n/a" or not stimuli:
        return None
    for name in (file, Path(file).name, Path(file).stem):
        found = find_name(name, stimuli)
        if found is not None:
            return stimuli.index(found)
    raise UserError(
        f"responses.events: {path}, line {line}: {file} is none of the {len(stimuli)} stimuli: "
        f"expected names such as {first_few(stimuli, 2)}"
    )
