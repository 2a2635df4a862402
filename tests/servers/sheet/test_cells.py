"""Which cells change, on tables small enough to see."""

import pytest

from convscope.errors import UserError
from convscope.servers.sheet.cells import Table, Wanted, changes, find_names, own_names
from convscope.servers.sheet.lease import Lease, lease_of

TEXTS = {"a": {"status": "up"}, "b": {"status": "down"}}


def changed(names: list[str], cells: list[str], top: int = 0, header: str = "Status") -> object:
    """What changes in our one column of a tab whose first column holds the names."""
    table = Table([[name] for name in names], {"status": cells})
    found = changes(table, Wanted(top, names, TEXTS), {"status": header})
    return [row[0] for row in found["status"]] if found else []


def test_a_column_that_is_right_is_left_alone() -> None:
    assert changed(["S", "a", "b"], ["Status", "up", "down"]) == []


def test_an_empty_column_is_filled() -> None:
    assert changed(["S", "a", "", "b"], []) == ["Status", "up", None, "down"]


def test_what_stands_in_a_row_of_no_server_is_taken_away() -> None:
    assert changed(["S", "", "a"], ["Status", "up", "up", "down"]) == [None, "", None, ""]


def test_what_people_wrote_on_and_above_the_header_stays() -> None:
    assert changed(["", "S", "a"], ["mind!", "Zustand", "up"], top=1) == []


def test_a_text_of_ours_that_slipped_up_is_taken_away_there() -> None:
    cells = ["up", "2025-11-21 10:00", "up"]
    assert changed(["", "S", "a"], cells, top=1) == ["", "Status"]


def test_a_header_of_people_comes_back_after_a_text_slipped_onto_it() -> None:
    headers = {"status": "Status"}
    wanted = Wanted(0, ["S", "a"], TEXTS)
    changes(Table([["S"], ["a"]], {"status": ["Zustand", "up"]}), wanted, headers)
    slipped = Table([["S"], ["a"]], {"status": ["up", "up"]})
    assert changes(slipped, wanted, headers) == {"status": [["Zustand"]]}


def test_names_are_found_below_their_header_wherever_it_stands() -> None:
    rows = [["Title"], [], ["x", " Server "], ["Anna", "a "], ["b"], []]
    assert find_names(rows, "Server") == (2, ["", "", "Server", "a", "", ""])


def test_without_the_header_there_are_no_names() -> None:
    with pytest.raises(UserError, match="no cell of the tab is 'Server'"):
        find_names([["Servers"]], "Server")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], ["", "a", "b"]),
        (["S", "b"], ["", "b", "a"]),
        (["S", "b", "b", "z"], ["", "b", "a", ""]),
        (["note", "S", "", "a"], ["", "", "b", "a"]),
    ],
)
def test_in_a_tab_of_ours_every_server_stands_once(names: list[str], expected: list[str]) -> None:
    top, found = own_names(names, "S", ["a", "b"])
    assert top == (names.index("S") if "S" in names else 0)
    assert [name for name in found if name] == [name for name in expected if name]
    assert found[: len(expected)] == expected


def test_a_lease_is_read_as_it_was_written_when_clocks_go_back() -> None:
    """At 01:00 and 02:00 UTC of 2025-10-26 clocks in Berlin show 02:00."""
    for time in (1_761_440_400.0, 1_761_444_000.0):
        lease = Lease("me", time - 2700, time)
        assert lease_of(lease.rows("Europe/Berlin")) == lease


@pytest.mark.parametrize("until", ["", "soon", "2025-11-21 10:00:00", "9" * 30])
def test_what_is_no_lease_is_none(until: str) -> None:
    rows = Lease("me", 0, 60).rows("UTC")
    assert lease_of([*rows[:2], ["", until]]) is None
    assert lease_of(rows[:2]) is None


def test_a_lease_keeps_out_others_until_it_ends() -> None:
    lease = Lease("me", 0, 60)
    assert not lease.keeps_out("me", 30)
    assert lease.keeps_out("you", 59)
    assert not lease.keeps_out("you", 60)
    assert not Lease("me", 0, 10**9).keeps_out("you", 60)
