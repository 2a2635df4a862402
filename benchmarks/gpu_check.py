"""All that needs a GPU, in order of worth, on the first machine with one that comes by.

    python benchmarks/gpu_check.py OUT --words DIR --minutes 8      CONTRIBUTING says what to copy
    python benchmarks/gpu_check.py OUT --only steps,cells           some of it
    python benchmarks/gpu_check.py OUT --cpu                        a rehearsal: everything, tiny

Each item is a process of its own with its own limit of time: one that fails or hangs costs nothing
but itself. OUT/gpu_check.json is written anew after each, with the tables of all that ran;
OUT/gpu_check.log has all that they printed, tracebacks whole. Exit 0 where every item ran.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Annotated, Any

import typer
from measure import REHEARSAL, machine, tell
from recordings import words_folder

HERE = Path(__file__).parent
ROOT = HERE.parent
RESULTS, LOG = "gpu_check.json", "gpu_check.log"
LEAST_SECONDS = 5.0
"""An item is not begun with less time than this."""


@dataclass(frozen=True)
class Place:
    """What the items are given: where words lie, where results go, whether it is a rehearsal."""

    out: Path
    scratch: Path
    words: Path
    cpu: bool


@dataclass(frozen=True)
class Item:
    """One thing to be known about a GPU.

    Attributes:
        name: as `--only` has it.
        question: that it answers.
        minutes: that it may take at most, on a GPU.
        command: from a place and the seconds that it may take to what follows `python`.
    """

    name: str
    question: str
    minutes: float
    command: Callable[[Place, float], list[str]]


@dataclass(frozen=True)
class Outcome:
    """What became of an item: `ran`, `failed`, `stopped` at its limit, or `left out`."""

    name: str
    question: str
    outcome: str
    seconds: float
    said: str
    result: Any = None


def _script(name: str, *given: str, cpu: str = "") -> Callable[[Place, float], list[str]]:
    """A benchmark with its options; `cpu` are those of the rehearsal."""

    def command(place: Place, seconds: float) -> list[str]:
        options = cpu.split() if place.cpu else given
        values = {"words": place.words, "scratch": place.scratch, "out": place.out}
        values |= {"minutes": f"{seconds / 60:.2f}", "seconds": f"{seconds:.0f}"}
        return [str(HERE / name), *(option.format(**values) for option in options)]

    return command


def _tests(place: Place, _: float) -> list[str]:
    where = "tests/training/test_gpu.py" if place.cpu else "tests"
    return ["-m", "pytest", "-p", "no:cacheprovider", "-m", "gpu", str(ROOT / where)]


def _sensor(place: Place, _: float) -> list[str]:
    busy = [] if not place.cpu else ["--cpu"]
    return [str(HERE / "gpu_sensor.py"), *busy]


_JSON = ("--json", "{scratch}/result.json")
_CPU_JSON = " --json {scratch}/result.json"

ITEMS = (
    Item(
        "works",
        "does each family train, and as layer by layer",
        2.5,
        _script("gpu_works.py", *_JSON, cpu="--families mnist --tiny" + _CPU_JSON),
    ),
    Item("tests", "do the tests pass that need a GPU", 1.5, _tests),
    Item(
        "steps",
        "how fast is a step, beside simple executions and the floor",
        3.0,
        _script(
            "training_step.py",
            *("--nets", "ch64,ch64-bn,ch32,ch128,ch32-bn,ch128-bn"),
            *("--executions", "fp32,bf16,bf16 channels last,bf16 compiled", "--seconds", "0.5"),
            *_JSON,
            cpu="--nets mnist --executions fp32 --batch 2 --seconds 0 --threads 1" + _CPU_JSON,
        ),
    ),
    Item(
        "profile",
        "where does the time of a step go",
        1.0,
        _script("gpu_profile.py", *_JSON, cpu="--nets mnist --batch 4 --steps 2" + _CPU_JSON),
    ),
    Item(
        "cells",
        "how fast are several cells together, beside one alone",
        1.5,
        _script(
            "many_cells.py",
            *("--nets", "mnist,baseline2d", "--cells", "8,32", "--seconds", "0.5"),
            *_JSON,
            cpu="--nets mnist --cells 2 --batch 2 --seconds 0 --threads 1" + _CPU_JSON,
        ),
    ),
    Item(
        "epoch",
        "how long do decoding, the first step and an epoch take",
        1.5,
        _script(
            "epoch.py",
            *("--folder", "{words}", *_JSON),
            cpu="--folder {words} --batch 4 --limit 4 --threads 1" + _CPU_JSON,
        ),
    ),
    Item(
        "accuracy",
        "do nets reach the accuracy that they should",
        4.0,
        _script(
            "words_accuracy.py",
            *("{words}", "--out", "{scratch}/runs"),
            *("--json-file", "{scratch}/result.json"),
            cpu="{words} --out {scratch}/runs --seeds 0 --epochs 1 --base-channels 2 "
            "--json-file {scratch}/result.json",
        ),
    ),
    Item(
        "tables",
        "how long would all cells of the reports take",
        2.5,
        _script(
            "report_tables.py",
            *("--seconds", "0.2", "--run", "--minutes", "0.5", "--words", "{words}"),
            *("--out", "{scratch}/tables", *_JSON),
            cpu="--limit 2 --batch 2 --seconds 0 --threads 1" + _CPU_JSON,
        ),
    ),
    Item(
        "memory",
        "what happens where memory is too small",
        1.0,
        _script("gpu_memory.py", *_JSON, cpu="--tiny" + _CPU_JSON),
    ),
    Item("sensor", "what does the sensor read beside a running job", 0.5, _sensor),
    Item(
        "finals",
        "the final trainings of the small nets' recipes",
        8.0,
        _script(
            "gpu_finals.py",
            *("{out}", "--words", "{words}", "--minutes", "{minutes}", *_JSON),
            cpu="{out} --words {words} --minutes 1 --tiny" + _CPU_JSON,
        ),
    ),
)


def main(
    out: Annotated[Path, typer.Argument(help="Folder for results.")],
    words: Annotated[Path | None, typer.Option(help="Folder of words; else noise.")] = None,
    minutes: Annotated[float, typer.Option(help="For all of it.")] = 8.0,
    only: Annotated[str, typer.Option(help=f"Of {','.join(i.name for i in ITEMS)}.")] = "",
    cpu: Annotated[bool, typer.Option("--cpu", help="A rehearsal, tiny, without a GPU.")] = False,
) -> None:
    """Work through the list; print a line for each item, write its table."""
    names = only.split(",") if only else [item.name for item in ITEMS]
    unknown = set(names) - {item.name for item in ITEMS}
    if unknown:
        raise typer.BadParameter(f"no item {', '.join(sorted(unknown))}", param_hint="--only")
    out.mkdir(parents=True, exist_ok=True)
    if cpu:
        os.environ.pop("CONVSCOPE_TEST_DATA", None)  # real words would make it long
    with words_folder(words, 8 if cpu else 2_000) as (folder, _), TemporaryDirectory() as scratch:
        place = Place(out.absolute(), Path(scratch), folder.absolute(), cpu)
        chosen = [item for item in ITEMS if item.name in names]
        outcomes = checked(chosen, place, 60 * minutes)
    raise typer.Exit(any(outcome.outcome != "ran" for outcome in outcomes))


def checked(items: Iterable[Item], place: Place, seconds: float) -> list[Outcome]:
    """What became of each item, in their order, within so many seconds; written after each."""
    start = time.monotonic()
    outcomes: list[Outcome] = []
    for item in items:
        left = seconds - (time.monotonic() - start)
        outcomes.append(attempted(item, place, min(left, 60 * item.minutes)))
        last = outcomes[-1]
        print(f"{last.name}: {last.outcome}, {last.seconds:.0f} s. {last.said}", flush=True)
        write(place, outcomes)
    rows = [{k: v for k, v in asdict(o).items() if k != "result"} for o in outcomes]
    tell("what was asked of this machine", rows)
    return outcomes


def attempted(item: Item, place: Place, seconds: float) -> Outcome:
    """Run an item in a process of its own; it is ended, with all that it began, at its limit."""
    if seconds < LEAST_SECONDS:
        return Outcome(item.name, item.question, "left out", 0.0, "no time was left")
    own = place.scratch / item.name
    own.mkdir()
    inside = Place(place.out, own, place.words, place.cpu)
    command = [sys.executable, *item.command(inside, seconds)]
    start = time.monotonic()
    code, printed = _run(command, _environment(place), seconds)
    took = time.monotonic() - start
    with (place.out / LOG).open("a") as log:
        log.write(f"===== {item.name}: exit {code}, {took:.0f} s\n{printed}\n")
    outcome = "stopped" if code is None else "failed" if code else "ran"
    said = _last_line(printed) if code else "" if code == 0 else f"over its {seconds:.0f} s"
    return Outcome(item.name, item.question, outcome, round(took, 1), said, _result(own, printed))


def _run(command: list[str], environment: dict[str, str], seconds: float) -> tuple[int | None, str]:
    """Exit code, None where it was ended; and all that it and its children printed.

    They print to a file: a pipe would hold up its reader for as long as any grandchild lives.
    """
    with TemporaryFile() as printed:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code: int | None = process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _end(process)
        printed.seek(0)
        return code, printed.read().decode(errors="replace")


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _environment(place: Place) -> dict[str, str]:
    """One cache for all items; and no GPU in a rehearsal, whatever the machine has."""
    paths = [str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
    own = {"PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}
    own |= {"CONVSCOPE_CACHE": str(place.scratch / "cache")}
    if place.cpu:
        own |= {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1", REHEARSAL: "1"}
    return {**os.environ, **own}


def _last_line(printed: str) -> str:
    """The last line that says something: of a traceback, the error."""
    lines = [line.strip() for line in printed.splitlines() if line.strip(" ─╰╯│")]
    return f"{lines[-1]:.200}" if lines else "it printed nothing"


def _result(scratch: Path, printed: str) -> Any:
    """What an item wrote as JSON; else what it printed last."""
    file = scratch / "result.json"
    if file.exists():
        return json.loads(file.read_text())
    return printed.splitlines()[-40:]


def write(place: Place, outcomes: list[Outcome]) -> None:
    """All outcomes so far, beside its place and moved there whole."""
    whole = {"machine": machine(), "items": [asdict(outcome) for outcome in outcomes]}
    beside = place.out / f".{RESULTS}"
    beside.write_text(json.dumps(whole, indent=1) + "\n")
    beside.replace(place.out / RESULTS)


if __name__ == "__main__":
    typer.run(main)
