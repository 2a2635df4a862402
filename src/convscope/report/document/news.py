"""What is new since last time: a report keeps what it said, so that the next one can compare."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from convscope.errors import UserError
from convscope.report.document.groups import Group, finished_at, grouped, named
from convscope.report.document.sentences import smallest_as_good
from convscope.run import Run
from convscope.scores.rows import BoardRow

FORMAT = 1


@dataclass(frozen=True)
class Record:
    """The best network of a board."""

    net: str
    run: str
    accuracy: float
    interval: tuple[float, float]
    params: int | None


@dataclass(frozen=True)
class GroupState:
    """What a report said of the runs on the same data.

    Attributes:
        data: its name.
        fingerprint: of the data.
        accuracy: the most accurate network.
        size: the smallest no difference of which to that is shown.
        done: names of the finished runs.
        failed: names of the failed ones.
    """

    data: str
    fingerprint: str | None
    accuracy: Record
    size: Record
    done: tuple[str, ...]
    failed: tuple[str, ...]


@dataclass(frozen=True)
class State:
    """What a report said, and when."""

    date: str
    groups: tuple[GroupState, ...]

    def of(self, group: Group) -> GroupState | None:
        """What it said of the same data."""
        wanted = group.done[0].fingerprint
        return next((each for each in self.groups if each.fingerprint == wanted), None)


def state_of(groups: Sequence[Group], date: str) -> State:
    """What a report of these groups says."""
    return State(date, tuple(map(_group_state, groups)))


def state_before(runs: Sequence[Run], date: str) -> State:
    """What a report of the runs that were finished before a day would have said."""
    start = seconds_of(date)
    before = [run for run in runs if (finished_at(run) or start) < start]
    return state_of(grouped(before), date)


def seconds_of(date: str) -> float:
    """The beginning of a day, such as 2026-11-20, here, in seconds since 1970.

    Raises:
        UserError: it is no day.
    """
    try:
        return datetime.strptime(date, "%Y-%m-%d").timestamp()
    except ValueError:
        raise UserError(f"{date}: expected a day such as 2026-11-20") from None


def as_json(state: State) -> str:
    """The state as a small file."""
    return json.dumps({"format": FORMAT, **asdict(state)}, indent=1, allow_nan=False) + "\n"


def read_state(path: Path) -> State:
    """The state that a report kept.

    Raises:
        UserError: there is none.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values["format"] != FORMAT:
            raise ValueError
        return State(str(values["date"]), tuple(map(_read_group, values["groups"])))
    except OSError as error:
        raise UserError(
            f"--compare {path}: {error.strerror}: expected the JSON file that a report keeps "
            "beside it, or a day such as 2026-11-20"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise UserError(
            f"--compare {path}: expected the JSON file that a report keeps beside it"
        ) from None


def _group_state(group: Group) -> GroupState:
    return GroupState(
        data=group.name,
        fingerprint=group.done[0].fingerprint,
        accuracy=_record(group.nets[0], group.nets),
        size=_record(smallest_as_good(group.nets), group.nets),
        done=tuple(sorted(row.run for row in group.done)),
        failed=tuple(sorted(row.run for row in group.rows if row.state == "failed")),
    )


def _record(net: BoardRow, rows: Sequence[BoardRow]) -> Record:
    assert net.accuracy is not None
    assert net.interval is not None
    low, high = net.interval
    return Record(named(net, rows), net.run, net.accuracy, (low, high), net.params)


def _read_group(values: Mapping[str, Any]) -> GroupState:
    return GroupState(
        data=str(values["data"]),
        fingerprint=values["fingerprint"],
        accuracy=_read_record(values["accuracy"]),
        size=_read_record(values["size"]),
        done=tuple(map(str, values["done"])),
        failed=tuple(map(str, values["failed"])),
    )


def _read_record(values: Mapping[str, Any]) -> Record:
    low, high = map(float, values["interval"])
    params = values["params"]
    return Record(
        net=str(values["net"]),
        run=str(values["run"]),
        accuracy=float(values["accuracy"]),
        interval=(low, high),
        params=None if params is None else int(params),
    )
