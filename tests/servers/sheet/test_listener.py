"""The lab's sheet says what is known of its servers, and stays the lab's."""

import socket
import threading
from typing import Any

import pytest

from convscope.errors import UserError
from convscope.servers.demo.fake_spreadsheet import trimmed
from convscope.servers.sheet.google_sheet import GoogleSheet
from convscope.servers.sheet_interface import Changes, tag_of
from tests.servers.sheet_lab import (  # noqa: F401
    HEADINGS,
    NOW,
    ROWS,
    SheetLab,
    made_up_google,
    made_up_lab,
    states,
)


def test_our_columns_are_made_right_of_what_stands_there_and_filled(lab: SheetLab) -> None:
    lab.listener()(NOW, states(), {})
    cells = trimmed(lab.theirs().cells)
    assert cells[1] == ["Person", "Server", "Until", *HEADINGS]
    assert cells[2][:4] == ["Anna", "gpu1", "Friday", "up"]
    assert cells[3][:5] == ["", "gpu2", "", "down", "2025-11-21 10:00"]
    assert [row[:3] for row in cells[:1] + cells[4:]] == [ROWS[0], ROWS[4]]
    assert lab.lines == []


def test_a_tick_without_news_writes_the_heartbeat_alone(lab: SheetLab) -> None:
    listener = lab.listener()
    listener(NOW, states(), {})
    before = [list(row) for row in lab.theirs().cells]
    n_writes, n_reads = lab.google.n_writes, lab.google.n_reads
    listener(NOW + 60, states(), {})
    assert lab.theirs().cells == before
    assert lab.google.n_writes - n_writes == 1
    assert lab.google.n_reads - n_reads == 2
    beat = lab.spreadsheet.titled("convscope").cells
    assert beat[0][:2] == ["Last look at the servers", "2025-11-21 10:01:00+01:00"]
    assert beat[1][:2] == ["Collected by", "me"]


def test_only_cells_that_differ_are_written(lab: SheetLab, monkeypatch: pytest.MonkeyPatch) -> None:
    listener = lab.listener(columns=("status", "load"))
    listener(NOW, states(), {})
    written: list[dict[int, Changes]] = []
    write = GoogleSheet.write

    def noted(self: GoogleSheet, cells: dict[int, Changes]) -> None:
        written.append(dict(cells))
        write(self, cells)

    monkeypatch.setattr(GoogleSheet, "write", noted)
    listener(NOW + 60, states("slow"), {})
    (cells,) = written
    del cells[tag_of("collector")]
    assert cells == {tag_of("status"): [[None], [None], ["slow"]]}


def test_hours_of_shortest_ticks_stay_inside_the_limits(lab: SheetLab) -> None:
    """60 reads and 60 writes a minute; a tick takes 5 s at least."""
    listener = lab.listener()
    listener(NOW, states(), {})
    for minute in range(1, 4):
        lab.google.n_reads = lab.google.n_writes = 0
        for tick in range(12):
            now = NOW + 60 * minute + 5 * tick
            listener(now, states("up" if tick % 2 else "slow", now), {})
        assert lab.google.n_reads <= 60
        assert lab.google.n_writes <= 60


def test_people_may_rename_a_header_and_the_tab(lab: SheetLab) -> None:
    listener = lab.listener()
    listener(NOW, states(), {})
    tab = lab.theirs()
    tab.cells[1][3] = "Zustand"
    tab.title = lab.tab = "Rechner"
    listener(NOW + 60, states("slow"), {})
    lab.listener("me")(NOW + 120, states("slow"), {})
    assert lab.says("status")[1:4] == ["Zustand", "slow", "down"]


def test_a_deleted_column_is_made_again(lab: SheetLab) -> None:
    listener = lab.listener(columns=("status", "load"))
    listener(NOW, states(), {})
    lab.theirs().delete("COLUMNS", 3, 4)
    listener(NOW + 60, states(), {})
    assert lab.says("status")[1:4] == ["Status", "up", "down"]
    assert lab.says("load")[1:4] == ["Load", "2.0 of 8 cores", ""]


def test_a_server_in_two_rows_is_told_in_both_and_a_name_that_goes_takes_its_status(
    lab: SheetLab,
) -> None:
    listener = lab.listener()
    lab.theirs().cells[4][1] = "gpu1"
    listener(NOW, states(), {})
    assert lab.says("status")[2:5] == ["up", "down", "up"]
    lab.theirs().cells[2][1] = ""
    listener(NOW + 60, states(), {})
    assert lab.says("status")[2:5] == ["", "down", "up"]


def test_names_that_only_one_side_knows_are_told_once(lab: SheetLab) -> None:
    lab.theirs().cells[3][1] = "gpu9"
    listener = lab.listener()
    listener(NOW, states(), {})
    listener(NOW + 60, states(), {})
    assert lab.lines == [
        "sheet: in the tab, but not in servers.yaml: gpu9",
        "sheet: in servers.yaml, but in no row of the tab: gpu2",
    ]


def test_the_header_is_the_one_above_the_servers(lab: SheetLab) -> None:
    lab.theirs().cells[0][2] = "Server"
    lab.listener()(NOW, states(), {})
    assert lab.says("status")[:4] == ["", "Status", "up", "down"]


def test_what_steers_a_terminal_is_not_told(lab: SheetLab) -> None:
    lab.theirs().cells[3][1] = "gpu9\x1b[2J\nconvscope: all is well " + "x" * 2000
    lab.listener()(NOW, states(), {})
    assert "gpu9 [2J convscope: all is well xxx" in lab.lines[0]
    assert all(line.isprintable() and len(line) < 600 for line in lab.lines)


def test_a_name_that_looks_like_a_formula_stays_text(lab: SheetLab) -> None:
    head = ["person", "server", "from", "to"]
    lab.spreadsheet.add_tab("Bookings", [head, ["=1+1", "gpu1", "2025-11-21", "2025-11-22"]])
    lab.listener(bookings={"tab": "Bookings"})(NOW, states(), {})
    assert lab.says("booked")[2] == "=1+1 until 2025-11-23 00:00"


def test_a_second_collector_waits_until_the_first_ends(lab: SheetLab) -> None:
    first, second = lab.listener("first"), lab.listener("second")
    first(NOW, states(), {})
    second(NOW + 60, states("slow"), {})
    assert lab.says("status")[2] == "up"
    assert lab.lines == ["sheet: first collects: this one waits until that ends"]
    first.close(NOW + 61)
    second(NOW + 62, states("slow"), {})
    assert lab.says("status")[2] == "slow"


def test_a_clock_that_is_set_back_does_not_prolong_a_wait(lab: SheetLab) -> None:
    lab.google.faults.append("429")
    listener = lab.listener()
    listener(NOW + 86400, states(), {})
    listener(NOW, states(), {})
    assert lab.says("status")[2] == "up"


def test_a_collector_that_died_is_followed_after_three_ticks(lab: SheetLab) -> None:
    lab.listener("first")(NOW, states(), {})
    second = lab.listener("second")
    second(NOW + 179, states("slow"), {})
    assert lab.says("status")[2] == "up"
    second(NOW + 180, states("slow"), {})
    assert lab.says("status")[2] == "slow"


def test_a_lease_that_people_wrote_over_keeps_nobody_out(lab: SheetLab) -> None:
    lab.listener("first")(NOW, states(), {})
    lab.spreadsheet.titled("convscope").cells[2][1] = "9999-01-01 00:00:00+00:00"
    lab.listener("second")(NOW + 1, states("slow"), {})
    lab.spreadsheet.titled("convscope").cells[2][1] = "tomorrow"
    lab.listener("third")(NOW + 2, states("up"), {})
    assert lab.says("status")[2] == "up"


def test_the_tab_of_the_heartbeat_is_made_again_beside_one_of_that_name(lab: SheetLab) -> None:
    listener = lab.listener()
    lab.spreadsheet.add_tab("convscope", [["the lab's own"]])
    listener(NOW, states(), {})
    assert lab.spreadsheet.titled("convscope 2").cells[1][1] == "me"
    lab.spreadsheet.tabs.remove(lab.spreadsheet.titled("convscope 2"))
    listener(NOW + 60, states("slow"), {})
    assert lab.spreadsheet.titled("convscope 2").cells[1][1] == "me"
    assert lab.says("status")[2] == "slow"
    assert trimmed(lab.spreadsheet.titled("convscope").cells) == [["the lab's own"]]


@pytest.mark.parametrize("fault", ["429", "500", "500 after", "cut", "cut after", "garbage"])
def test_after_a_failure_ticks_pass_unused_for_ever_longer(lab: SheetLab, fault: str) -> None:
    listener = lab.listener()
    used = []
    for second in range(100):
        lab.google.faults.append(fault)
        listener(NOW + second, states(), {})
        if not lab.google.faults:
            used.append(second)
        lab.google.faults.clear()
    assert used == [0, 10, 30, 70]
    listener(NOW + 150, states(), {})
    assert lab.says("status")[2] == "up"
    assert len(lab.lines) == 1


def test_a_sheet_that_does_not_answer_is_given_up(lab: SheetLab) -> None:
    listener = lab.listener()
    listener._sheet._client.set_timeout(0.05)  # type: ignore[attr-defined]
    lab.google.hold.clear()
    lab.google.faults.append("slow")
    listener(NOW, states(), {})
    lab.google.hold.set()
    assert lab.lines == ["sheet: the sheet cannot be reached (ReadTimeout)"]


def test_a_token_that_is_revoked_is_replaced(lab: SheetLab) -> None:
    listener = lab.listener()
    lab.google.faults.extend([None, "revoked", None, None, "revoked"])
    listener(NOW, states(), {})
    assert lab.says("status")[2] == "up"
    assert lab.lines == []


def test_a_key_that_is_revoked_is_told(lab: SheetLab) -> None:
    lab.google.key_works = False
    lab.listener()(NOW, states(), {})
    (line,) = lab.lines
    assert "Google refuses the key of status@made-up.iam.gserviceaccount.com" in line
    assert "make a new one" in line


def test_protected_and_merged_cells_are_told_in_a_line_and_mended_afterwards(lab: SheetLab) -> None:
    listener = lab.listener()
    listener(NOW, states(), {})
    tab = lab.theirs()
    tab.protected.append(tab.columns[3])
    listener(NOW + 60, states("slow"), {})
    assert "trying to edit a protected cell" in lab.lines[-1]
    tab = lab.theirs()
    tab.protected.clear()
    tab.merge(slice(2, 4), slice(3, 4))
    listener(NOW + 120, states("slow"), {})
    assert lab.lines[-1] == "sheet: cells of ours do not keep what is written: unmerge them"
    lab.theirs().merges.clear()
    listener(NOW + 180, states("slow"), {})
    assert lab.says("status")[2:4] == ["slow", "down"]
    assert len(lab.lines) == 2


def test_bookings_are_read_beside_the_states(lab: SheetLab) -> None:
    lab.spreadsheet.add_tab(
        "Bookings",
        [
            ["person", "server", "from", "to"],
            ["Anna", "gpu1", "2025-11-21", "2025-11-22"],
            ["Bob", "gpu1", "2025-11-22", "2025-11-23"],
            ["Bob", "gpu7", "2025-11-22", "2025-11-23"],
        ],
    )
    listener = lab.listener(bookings={"tab": "Bookings"})
    listener(NOW, states(), {})
    assert [booking.person for booking in listener.bookings or ()] == ["Anna", "Bob"]
    assert lab.says("booked")[2] == "Anna until 2025-11-23 00:00"
    assert lab.says("conflicts")[2] == "Anna and Bob, 2025-11-22 00:00 to 2025-11-23 00:00"
    assert any("'gpu7' is no server" in line for line in lab.lines)


def test_without_the_tab_of_bookings_the_status_is_written_all_the_same(lab: SheetLab) -> None:
    lab.listener(bookings={"tab": "Bookings"})(NOW, states(), {})
    assert lab.says("status")[2] == "up"
    assert "bookings:" in lab.lines[0]


def test_nothing_but_loopback_is_asked(lab: SheetLab, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    find = socket.getaddrinfo

    def noted(host: str, *args: Any, **kinds: Any) -> Any:
        asked.append(host)
        return find(host, *args, **kinds)

    monkeypatch.setattr(socket, "getaddrinfo", noted)
    lab.listener()(NOW, states(), {})
    for thread in threading.enumerate():
        if thread.name.startswith("Thread-") and not thread.daemon:
            thread.join(10)
    assert set(asked) == {"127.0.0.1"}


# A tab of our own ----------------------------------------------------------------------------


def test_a_tab_of_our_own_is_made_with_a_row_a_server(lab: SheetLab) -> None:
    listener = lab.listener(own_tab=True, tab="Status", columns=("status",))
    listener.check()
    listener(NOW, states(), {})
    cells = trimmed(lab.spreadsheet.titled("Status").cells)
    assert cells == [["Server", "Status"], ["gpu1", "up"], ["gpu2", "down"]]
    assert trimmed(lab.theirs().cells) == ROWS


def test_in_a_tab_of_our_own_rows_may_be_sorted_and_lost_ones_come_back(lab: SheetLab) -> None:
    listener = lab.listener(own_tab=True, tab="Status", columns=("status",))
    listener(NOW, states(), {})
    tab = lab.spreadsheet.titled("Status")
    tab.move("ROWS", 2, 3, 1)
    tab.delete("ROWS", 2, 3)
    listener(NOW + 60, states(), {})
    cells = trimmed(lab.spreadsheet.titled("Status").cells)
    assert cells == [["Server", "Status"], ["gpu2", "down"], ["gpu1", "up"]]


def test_a_tab_of_the_lab_is_not_taken_for_our_own(lab: SheetLab) -> None:
    with pytest.raises(UserError, match=r"'Servers' is there and not ours.*own_tab: false"):
        lab.listener(own_tab=True).check()


# What people must mend -----------------------------------------------------------------------


def test_a_sheet_without_the_named_column_is_refused(lab: SheetLab) -> None:
    with pytest.raises(UserError, match="server_column: no cell of the tab is 'Machine'"):
        lab.listener(server_column="Machine").check()


def test_a_sheet_without_the_tab_is_refused_naming_those_it_has(lab: SheetLab) -> None:
    with pytest.raises(UserError, match="expected one of 'Servers', got 'Server'"):
        lab.listener(tab="Server").check()


def test_a_sheet_that_is_not_shared_names_the_account_to_share_it_with(lab: SheetLab) -> None:
    lab.google.shared = set()
    with pytest.raises(UserError, match=r"share it with status@made-up.*as an editor"):
        lab.listener().check()


def test_a_project_that_may_not_use_sheets_is_told_apart(lab: SheetLab) -> None:
    lab.google.is_enabled = False
    with pytest.raises(UserError, match="enable the Google Sheets API"):
        lab.listener().check()


def test_a_sheet_that_is_not_there_is_refused(lab: SheetLab) -> None:
    lab.google.spreadsheets.clear()
    with pytest.raises(UserError, match=r"sheet\.id: Google knows no such sheet"):
        lab.listener().check()


def test_what_a_person_must_mend_while_it_runs_is_told_once_and_again_when_it_comes_back(
    lab: SheetLab,
) -> None:
    listener = lab.listener()
    listener(NOW, states(), {})
    for minute, header in enumerate(["Rechner", "Rechner", "Server", "Rechner"], start=1):
        lab.theirs().cells[1][1] = header
        listener(NOW + 60 * minute, states("slow"), {})
    assert len(lab.lines) == 2
    assert "no cell of the tab is 'Server'" in lab.lines[0]
