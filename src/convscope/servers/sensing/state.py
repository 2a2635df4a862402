"""What is known of a server: from its polls to a state. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from convscope.servers.collect_settings import CollectSettings

Status: TypeAlias = Literal["unknown", "up", "slow", "down"]
"""unknown: never reached so far, and not yet long enough without an answer to be down."""


@dataclass(frozen=True)
class Poll:
    """What came of asking a server once.

    Attributes:
        server: the name that people call it by.
        time: when the answer came or was given up, unix time by the collector's clock, s.
        seconds: that it took.
        record: what its sensor says (see `sensor.read_machine`); None where it did not answer.
        problem: why there is no record, in one line; None where there is one.
    """

    server: str
    time: float
    seconds: float
    record: Mapping[str, Any] | None = None
    problem: str | None = None


@dataclass(frozen=True)
class ServerState:
    """A server as it is known now.

    Attributes:
        server: its name.
        status: the last judgement.
        since: unix time of that status' first poll; of `down`: of the first poll that failed.
        record: the last that came, however old.
        record_time: when it came, by the collector's clock; None where none ever came.
        seconds: that the last poll took.
        failures: polls in a row without an answer.
        first_failure: unix time of the first of them.
        problem: why the last poll failed; None where it did not.
    """

    server: str
    status: Status = "unknown"
    since: float | None = None
    record: Mapping[str, Any] | None = None
    record_time: float | None = None
    seconds: float | None = None
    failures: int = 0
    first_failure: float | None = None
    problem: str | None = None

    def is_stale(self, now: float, settings: CollectSettings) -> bool:
        """Whether what is known is too old to be news."""
        return self.record_time is None or now - self.record_time > settings.stale_seconds


def after(before: ServerState, poll: Poll, settings: CollectSettings) -> ServerState:
    """The state that a poll leaves: up or slow by an answer, down by `down_after` failures."""
    if poll.record is None:
        return _without_answer(before, poll, settings)
    status: Status = "slow" if poll.seconds > settings.slow_seconds else "up"
    return ServerState(
        server=before.server,
        status=status,
        since=before.since if before.status == status else poll.time,
        record=poll.record,
        record_time=poll.time,
        seconds=poll.seconds,
    )


def _without_answer(before: ServerState, poll: Poll, settings: CollectSettings) -> ServerState:
    first = poll.time if before.first_failure is None else before.first_failure
    failed = replace(
        before,
        seconds=poll.seconds,
        failures=before.failures + 1,
        first_failure=first,
        problem=poll.problem,
    )
    if failed.failures < settings.down_after:
        return failed
    return replace(failed, status="down", since=first)
