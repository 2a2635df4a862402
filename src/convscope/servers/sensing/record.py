"""From what a server answers to a record that can be trusted to have the right form."""

import json
import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from convscope.servers.sensing.sensor import one_line

START = '{"time"'
"""How every record begins; what stands before it is a greeting."""
CLOCK_SECONDS = 60
"""A clock that is wrong by more is told."""


def _printable(text: str) -> str:
    """Without what could steer a terminal."""
    return one_line("".join(c if c.isprintable() else " " for c in text))


Text = Annotated[str, AfterValidator(_printable)]
Count = Annotated[int, Field(ge=0, lt=2**63)]
Amount = Annotated[float, Field(ge=0)]


class _Part(BaseModel):
    """Numbers are numbers; what newer sensors may add is left out."""

    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)


class ProcessRecord(_Part):
    """A process on a GPU."""

    pid: Count
    memory_bytes: Count | None = None
    owner: Text | None = None
    started: Count | None = None
    command: Text | None = None


class GpuRecord(_Part):
    """A GPU; `processes` is null where they cannot be seen."""

    index: Count | None = None
    name: Text | None = None
    uuid: Text | None = None
    memory_total_bytes: Count | None = None
    memory_used_bytes: Count | None = None
    memory_free_bytes: Count | None = None
    utilisation: Amount | None = None
    temperature_c: float | None = None
    power_w: Amount | None = None
    processes: list[ProcessRecord] | None = None


class MachineRecord(_Part):
    """What a sensor says: see `sensor.read_machine`."""

    time: Annotated[float, Field(ge=0, lt=1e11)]
    hostname: Text
    uptime_s: Amount | None = None
    cores: Count | None = None
    load_1m: Amount | None = None
    load_5m: Amount | None = None
    load_15m: Amount | None = None
    memory_total_bytes: Count | None = None
    memory_available_bytes: Count | None = None
    memory_used_bytes: Count | None = None
    disk_total_bytes: Count | None = None
    disk_free_bytes: Count | None = None
    logged_in: list[Text] | None = None
    gpus: list[GpuRecord]
    problems: list[Text]


def parse_record(answer: str) -> dict[str, Any]:
    """The record in an answer, whatever greeting stands before it.

    Raises:
        ValueError: where there is none that is whole and sound; it says in a line what is wrong.
    """
    start = answer.rfind(START)
    if start < 0:
        said = one_line(_printable(answer))[:60]
        raise ValueError(f"answers no record but {said!r}" if said else "answers nothing")
    try:
        values, _ = json.JSONDecoder().raw_decode(answer, start)
        return MachineRecord.model_validate(values).model_dump()
    except ValidationError as error:
        wrong = error.errors()[0]
        key = ".".join(map(str, wrong["loc"]))
        raise ValueError(f"answers no sound record: {key}: {wrong['msg']}") from None
    except (ValueError, RecursionError):
        raise ValueError("breaks off in its answer") from None


def with_clock(record: Mapping[str, Any], now: float) -> dict[str, Any]:
    """A record that came at `now`, with `clock_offset_s`: how far ahead of ours its clock is, s."""
    offset = round(record["time"] - now, 1)
    problems = list(record["problems"])
    if abs(offset) > CLOCK_SECONDS:
        problems.append(f"its clock is {_span(abs(offset))} {'ahead' if offset > 0 else 'behind'}")
    return {**record, "clock_offset_s": offset, "problems": problems}


def _span(seconds: float) -> str:
    minutes = math.floor(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
