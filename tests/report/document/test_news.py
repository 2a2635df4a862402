"""What is new since last time."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from convscope.errors import UserError
from convscope.report.document.catalogue import catalogue
from convscope.report.document.groups import grouped
from convscope.report.document.news import (
    as_json,
    read_state,
    seconds_of,
    state_before,
    state_of,
)
from convscope.report.document.summary import week
from convscope.report.making import told_of
from convscope.run import MANIFEST, Run

SAY = catalogue()


def test_a_state_is_read_as_it_was_written(report_run: Callable[..., Run], tmp_path: Path) -> None:
    state = state_of(grouped([report_run(), report_run(5, conv_layers=4)]), "2026-11-20")
    (tmp_path / "last.json").write_text(as_json(state))
    assert read_state(tmp_path / "last.json") == state


def test_records_added_cells_and_failures_are_told(report_run: Callable[..., Run]) -> None:
    old = report_run(90)
    before = state_of(grouped([old]), "2026-11-20")
    new, failed = report_run(5, conv_layers=4), report_run(5, conv_layers=5)
    (failed.folder / MANIFEST).unlink()
    failed.write_status(state="failed", reason="diverged")
    told = told_of([old, new, failed], (), "2026-11-27", before)
    text = " ".join(getattr(each, "text", "") for each in week(SAY, told))
    assert "Runs finished since 2026-11-20: 1." in text
    assert f"Runs failed since 2026-11-20: 1 ({failed.name})." in text
    assert "The record is broken: 0.9722 after 0.5000" in text


def test_nothing_new_is_said_to_be_that(report_run: Callable[..., Run]) -> None:
    run = report_run()
    told = told_of([run], (), "2026-11-27", state_of(grouped([run]), "2026-11-20"))
    text = " ".join(getattr(each, "text", "") for each in week(SAY, told))
    assert "No run was finished since 2026-11-20." in text
    assert "The record of last time stands" in text


def test_a_day_stands_for_the_runs_that_were_done_before(report_run: Callable[..., Run]) -> None:
    old, new = report_run(90), report_run(5, conv_layers=4)
    for run, day in ((old, "2026-11-10"), (new, "2026-11-25")):
        os.utime(run.folder / MANIFEST, (seconds_of(day),) * 2)
    (state,) = state_before([old, new], "2026-11-20").groups
    assert state.done == (old.name,)


def test_what_is_no_state_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text("{}")
    for name in ("other.json", "none.json"):
        with pytest.raises(UserError, match="expected the JSON file that a report keeps"):
            read_state(tmp_path / name)
    with pytest.raises(UserError, match="expected a day such as 2026-11-20"):
        seconds_of("last Monday")
