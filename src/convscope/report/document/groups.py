"""Runs, read once: those on the same data together, since others are other tasks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from convscope.data.config import DataConfig
from convscope.names import visible
from convscope.run import MANIFEST, Run
from convscope.scores.board import ranked, with_front
from convscope.scores.network import data_names, differing, identity, network, settings
from convscope.scores.rows import BoardRow, read_row
from convscope.scores.seeds import by_seed

MOST_TOLD = 3


@dataclass(frozen=True)
class Group:
    """The runs on the same data.

    Attributes:
        name: of the data: kind and number of classes.
        rows: a row a run, the most accurate first; unfinished ones last.
        runs: by name.
        planned: cells of a sweep that have no run yet: their settings, and how they stand.
    """

    name: str
    rows: tuple[BoardRow, ...]
    runs: Mapping[str, Run]
    planned: tuple["Planned", ...] = field(default=())

    @cached_property
    def done(self) -> tuple[BoardRow, ...]:
        """The finished runs."""
        return tuple(row for row in self.rows if row.accuracy is not None)

    @cached_property
    def nets(self) -> tuple[BoardRow, ...]:
        """A row for each network: the mean over its seeds, the most accurate first."""
        return tuple(ranked(with_front(by_seed(self.done))))

    @property
    def best(self) -> Run:
        """The most accurate run."""
        return self.runs[self.rows[0].run]

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Their names, as they can be shown."""
        return tuple(visible(name) for name in self.best.classes)

    def of_net(self, net: BoardRow) -> list[BoardRow]:
        """The finished runs that a row of `nets` stands for, the most accurate first."""
        return [row for row in self.done if settings(row) == settings(net)]


@dataclass(frozen=True)
class Planned:
    """A cell that is not done: its run's name, its settings, how it stands, and why."""

    name: str
    config: Mapping[str, Any]
    state: str
    reason: str | None = None


def grouped(runs: Sequence[Run], planned: Sequence[Planned] = ()) -> list[Group]:
    """The runs in groups of the same data, that with the most finished runs first.

    A run that never came to open its data stands with those whose data settings are the same. A
    group without a finished run is left out, and so are planned cells of other data.
    """
    rows = [read_row(run) for run in runs]
    key_of = _keys(rows)
    names = data_names(rows)
    found: dict[_Key, list[BoardRow]] = {}
    for row in rows:
        found.setdefault(key_of[row.run], []).append(row)
    groups = []
    for key, members in found.items():
        finished = [row for row in members if row.accuracy is not None]
        if finished:
            name = names[finished[0].fingerprint]
            own = tuple(each for each in planned if _data_key(each.config) == key[0])
            order = tuple(ranked(with_front(members)))
            groups.append(Group(name, order, {run.name: run for run in runs}, own))
    return sorted(groups, key=lambda group: (-len(group.done), group.name))


def named(row: BoardRow, rows: Sequence[BoardRow]) -> str:
    """A network in words; where another of the rows reads the same, with what tells the two apart.

    That is the settings in which they differ, or of more than three the name of its run.
    """
    text, own = network(row), settings(row)
    alike = [settings(each) for each in rows if network(each) == text]
    keys = differing([own, *alike])
    if not keys:
        return text
    apart = " ".join(f"{key.partition('.')[2]}={own.get(key)}" for key in keys)
    return f"{text} {apart}" if len(keys) <= MOST_TOLD else f"{text} ({row.run})"


def finished_at(run: Run) -> float | None:
    """When a run was done, in seconds since 1970; None where it is not."""
    path = run.path(MANIFEST)
    return path.stat().st_mtime if path.is_file() else None


def folder_of(row: BoardRow) -> Path:
    """The folder that holds a row's run."""
    return row.folder.parent


_Key = tuple[str, str | None]


def _keys(rows: Sequence[BoardRow]) -> dict[str, _Key]:
    """For each run what its data is known by: settings and fingerprint."""
    known: dict[str, str] = {}
    for row in rows:
        if row.fingerprint:
            known.setdefault(_data_key(row.config), row.fingerprint)
    return {row.run: _key(row, known) for row in rows}


def _key(row: BoardRow, known: Mapping[str, str]) -> _Key:
    own = _data_key(row.config)
    return own, row.fingerprint or known.get(own)


def _data_key(config: Mapping[str, Any]) -> str:
    data = config.get("data", {})
    return identity({key: data[key] for key in data if key not in DataConfig.not_in_name})
