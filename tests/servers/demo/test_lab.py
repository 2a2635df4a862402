"""The made-up lab, through the real collector, sheet, history and webhook."""

from pathlib import Path

import pytest

from convscope.servers.collecting.usage import usage
from convscope.servers.demo.lab import BOOKINGS, GONE, ROWS, lab_hour, without_empty

pytest.importorskip("gspread", reason="the sheet needs gspread: pip install 'convscope[sheets]'")


def test_an_hour_of_the_made_up_lab(tmp_path: Path) -> None:
    lines: list[str] = []
    lab, states = lab_hour(tmp_path, 60, lines.append, people_edit=False)
    assert {name: state.status for name, state in states.items()} == {
        "gpu1": "up",
        "gpu2": "up",
        "gpu3": "up",
        "cpu1": "slow",
    }
    assert [line for line in lines if "gpu3" in line and "webhook" in line] == [
        f"09:{GONE.start + 1}  the webhook is told: gpu3 is down: does not answer within 30 s",
        f"09:{GONE.stop}  the webhook is told: gpu3 is back",
    ]
    assert f"09:{GONE.start + 1}  gpu3 is down since 2019-11-21 09:10" in " ".join(lines)
    assert any("'gpu9' is no server in servers.yaml" in line for line in lines)
    assert without_empty([row[:3] for row in lab.rows()]) == ROWS
    head, gpu1, *_ = lab.rows()
    said = dict(zip(head, gpu1, strict=True))
    assert said["Status"] == "up"
    assert said["Booked now by"].startswith("Anna (GPU 0) until 2019-11-21 18:00")
    assert "Chris" in said["Conflicts"]


def test_people_who_edit_meanwhile_lose_nothing(tmp_path: Path) -> None:
    """What stands in people's columns is what they wrote: servers, notes, bookings."""
    lines: list[str] = []
    lab, _ = lab_hour(tmp_path, 60, lines.append)
    assert sum("somebody edits" in line for line in lines) == 12
    assert lab.spreadsheet.titled("Bookings").cells == BOOKINGS
    cells = {cell for row in lab.rows() for cell in row}
    assert {"gpu1", "gpu2", "gpu3", "cpu1", "new power supply in March"} <= cells


def test_use_is_counted_by_person(tmp_path: Path) -> None:
    """Anna trains for the hour that she booked; Chris holds a GPU idle; Ben booked in vain."""
    lab, _ = lab_hour(tmp_path, 60, lambda _: None)
    hours = {row.person: row.hours for row in usage(lab.servers, 1, lab.made_up.now)}
    assert hours["Anna"].busy == hours["Anna"].booked == pytest.approx(1, abs=0.02)
    assert hours["Chris"].held_idle == hours["Chris"].unbooked == pytest.approx(0.75, abs=0.02)
    assert hours["Ben"].booked_idle == pytest.approx(1, abs=0.02)
