"""The made-up Sheets API does what the public reference says of the real one."""

import copy
from typing import Any

import gspread.http_client
import pytest
from gspread.exceptions import APIError
from gspread.http_client import HTTPClient

from convscope.servers.demo.fake_sheets_api import answer
from convscope.servers.demo.fake_spreadsheet import Refused, Spreadsheet
from tests.servers.sheet_lab import SHEET_ID, SheetLab, made_up_google, made_up_lab  # noqa: F401

CELLS = [["a", "b", "c"], ["d", "e", "f"], ["g", "h", "i"]]


@pytest.fixture
def sheet() -> Spreadsheet:
    """A tab of 3 x 3 letters, its second column tagged 7, its second row 8."""
    made = Spreadsheet()
    made.add_tab("Tab", copy.deepcopy(CELLS))
    change(made, tag(7, "COLUMNS", 1), tag(8, "ROWS", 1))
    return made


def change(sheet: Spreadsheet, *requests: dict[str, Any]) -> None:
    answer(sheet, ":batchUpdate", {"requests": list(requests)}, strict=False)


def tag(number: int, dimension: str, at: int) -> dict[str, Any]:
    location = {"dimensionRange": lines(dimension, at, at + 1)}
    made = {"metadataId": number, "metadataKey": "key", "metadataValue": str(number)}
    return {"createDeveloperMetadata": {"developerMetadata": {**made, "location": location}}}


def lines(dimension: str, start: int, end: int) -> dict[str, Any]:
    return {"sheetId": 0, "dimension": dimension, "startIndex": start, "endIndex": end}


def tagged(sheet: Spreadsheet, number: int) -> list[list[str]] | None:
    asked = {"dataFilters": [{"developerMetadataLookup": {"metadataId": number}}]}
    found = answer(sheet, "/values:batchGetByDataFilter", asked, strict=False)
    return found["valueRanges"][0]["valueRange"]["values"] if found else None


def write(sheet: Spreadsheet, number: int, values: list[list[str | None]]) -> None:
    data = [{"dataFilter": {"developerMetadataLookup": {"metadataId": number}}, "values": values}]
    answer(sheet, "/values:batchUpdateByDataFilter", {"data": data}, strict=False)


def test_a_tag_moves_with_its_column(sheet: Spreadsheet) -> None:
    assert tagged(sheet, 7) == [["b"], ["e"], ["h"]]
    change(sheet, {"insertDimension": {"range": lines("COLUMNS", 0, 2)}})
    moved = {"source": lines("COLUMNS", 3, 4), "destinationIndex": 0}
    change(sheet, {"moveDimension": moved})
    assert sheet.tabs[0].cells[0] == ["b", "", "", "a", "c"]
    assert tagged(sheet, 7) == [["b"], ["e"], ["h"]]
    write(sheet, 7, [[None], ["E"]])
    assert [row[0] for row in sheet.tabs[0].cells] == ["b", "E", "h"]


def test_a_tag_moves_with_its_row_but_not_when_cells_are_sorted(sheet: Spreadsheet) -> None:
    change(sheet, {"insertDimension": {"range": lines("ROWS", 0, 1)}})
    assert tagged(sheet, 8) == [["d", "e", "f"]]
    by = {"range": {"sheetId": 0, "startRowIndex": 1}, "sortSpecs": [{"dimensionIndex": 0}]}
    sheet.tabs[0].cells[1][0] = "z"
    change(sheet, {"sortRange": by})
    assert [row[0] for row in sheet.tabs[0].cells] == ["", "d", "g", "z"]
    assert tagged(sheet, 8) == [["g", "h", "i"]]


def test_a_tag_goes_with_its_column(sheet: Spreadsheet) -> None:
    change(sheet, {"deleteDimension": {"range": lines("COLUMNS", 1, 2)}})
    assert tagged(sheet, 7) is None
    assert sheet.tabs[0].cells[0] == ["a", "c"]
    write(sheet, 7, [["x"]])
    assert sheet.tabs[0].cells[0] == ["a", "c"]


def test_a_tag_is_made_once_and_a_request_is_done_whole_or_not(sheet: Spreadsheet) -> None:
    with pytest.raises(Refused, match="metadata 7 is there already"):
        change(sheet, {"insertDimension": {"range": lines("COLUMNS", 0, 1)}}, tag(7, "COLUMNS", 0))
    assert sheet.tabs[0].cells == CELLS


def test_more_values_than_cells_are_refused(sheet: Spreadsheet) -> None:
    with pytest.raises(Refused, match="beyond"):
        write(sheet, 7, [["x"]] * 4)
    with pytest.raises(Refused, match="beyond"):
        write(sheet, 7, [["x", "y"]])
    assert sheet.tabs[0].cells == CELLS


def test_of_merged_cells_only_the_first_can_be_written(sheet: Spreadsheet) -> None:
    two = {"sheetId": 0, "startRowIndex": 0, "endRowIndex": 2, "startColumnIndex": 1}
    change(sheet, {"mergeCells": {"range": {**two, "endColumnIndex": 2}}})
    assert tagged(sheet, 7) == [["b"], [], ["h"]]
    write(sheet, 7, [["x"], ["y"]])
    assert tagged(sheet, 7) == [["x"], [], ["h"]]


def test_protected_cells_are_refused(sheet: Spreadsheet) -> None:
    column = {"sheetId": 0, "startColumnIndex": 1, "endColumnIndex": 2}
    change(sheet, {"addProtectedRange": {"protectedRange": {"range": column}}})
    with pytest.raises(Refused, match="protected"):
        write(sheet, 7, [["x"]])


def test_a_filter_that_matches_several_columns_writes_into_all(sheet: Spreadsheet) -> None:
    change(sheet, tag(9, "COLUMNS", 2))
    lookup = {"developerMetadataLookup": {"metadataKey": "key"}}
    data = [{"dataFilter": lookup, "values": [["x"]]}]
    answer(sheet, "/values:batchUpdateByDataFilter", {"data": data}, strict=False)
    assert sheet.tabs[0].cells[:2] == [["a", "x", "x"], ["x", "e", "f"]]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("Tab", CELLS),
        ("'Tab'", CELLS),
        ("Tab!B2", [["e"]]),
        ("'Tab'!B2:C3", [["e", "f"], ["h", "i"]]),
        ("B:B", [["b"], ["e"], ["h"]]),
        ("Tab!2:3", CELLS[1:]),
    ],
)
def test_ranges_are_read_through_gspread(
    lab: SheetLab, monkeypatch: pytest.MonkeyPatch, text: str, values: list[list[str]]
) -> None:
    client = client_of(lab, monkeypatch)
    lab.google.spreadsheets[SHEET_ID] = Spreadsheet()
    lab.spreadsheet.add_tab("Tab", copy.deepcopy(CELLS))
    assert client.values_batch_get(SHEET_ID, [text])["valueRanges"][0]["values"] == values


def test_ranges_are_written_through_gspread(lab: SheetLab, monkeypatch: pytest.MonkeyPatch) -> None:
    client = client_of(lab, monkeypatch)
    data = [{"range": "Servers!B3:B4", "values": [["x"], ["y"]]}]
    client.values_batch_update(SHEET_ID, {"valueInputOption": "RAW", "data": data})
    assert [row[1] for row in lab.theirs().cells[2:4]] == ["x", "y"]
    with pytest.raises(APIError, match="400"):
        client.values_batch_get(SHEET_ID, ["No such tab!A1"])


def client_of(lab: SheetLab, monkeypatch: pytest.MonkeyPatch) -> HTTPClient:
    """gspread's client, whose addresses are constants."""
    for name, path in {"BATCH": "batchGet", "BATCH_UPDATE": "batchUpdate"}.items():
        address = f"{lab.google.address}/%s/values:{path}"
        monkeypatch.setattr(gspread.http_client, f"SPREADSHEET_VALUES_{name}_URL", address)
    return lab.sheet()._client
