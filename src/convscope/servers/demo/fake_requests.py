"""The requests of the Sheets API's batchUpdate that are needed here, on a made-up spreadsheet."""

from collections.abc import Callable
from typing import Any, TypeAlias

from convscope.servers.demo.fake_spreadsheet import Refused, Spreadsheet, Tab

Said: TypeAlias = dict[str, Any]


def _range(spreadsheet: Spreadsheet, said: Said) -> tuple[Tab, Any, int, int]:
    tab = spreadsheet.tab(said["sheetId"])
    return tab, said["dimension"], said["startIndex"], said["endIndex"]


def _add_tab(spreadsheet: Spreadsheet, said: Said) -> None:
    made = said["properties"]
    cells = [[""] * 26 for _ in range(50)]
    spreadsheet.add_tab(made["title"], cells, made.get("sheetId"), by_program=True)


def _append(spreadsheet: Spreadsheet, said: Said) -> None:
    """These are nobody's: the program that added them must not write there either."""
    tab = spreadsheet.tab(said["sheetId"])
    tab.insert(said["dimension"], len(tab.lines(said["dimension"])), said["length"])


def _insert(spreadsheet: Spreadsheet, said: Said) -> None:
    tab, dimension, start, end = _range(spreadsheet, said["range"])
    if start >= len(tab.lines(dimension)):
        raise Refused(f"insertDimension: there are {len(tab.lines(dimension))} {dimension}")
    tab.insert(dimension, start, end - start, by_program=True)


def _delete(spreadsheet: Spreadsheet, said: Said) -> None:
    tab, dimension, start, end = _range(spreadsheet, said["range"])
    tab.delete(dimension, start, end)


def _move(spreadsheet: Spreadsheet, said: Said) -> None:
    tab, dimension, start, end = _range(spreadsheet, said["source"])
    tab.move(dimension, start, end, said["destinationIndex"])


def _grid(spreadsheet: Spreadsheet, said: Said) -> tuple[Tab, slice, slice]:
    tab = spreadsheet.tab(said.get("sheetId", 0))
    rows = slice(said.get("startRowIndex", 0), said.get("endRowIndex", len(tab.rows)))
    columns = slice(said.get("startColumnIndex", 0), said.get("endColumnIndex", len(tab.columns)))
    return tab, rows, columns


def _sort(spreadsheet: Spreadsheet, said: Said) -> None:
    tab, rows, columns = _grid(spreadsheet, said["range"])
    tab.sort(rows, columns, said["sortSpecs"][0]["dimensionIndex"])


def _merge(spreadsheet: Spreadsheet, said: Said) -> None:
    tab, rows, columns = _grid(spreadsheet, said["range"])
    tab.merge(rows, columns)


def _protect(spreadsheet: Spreadsheet, said: Said) -> None:
    tab, _, columns = _grid(spreadsheet, said["protectedRange"]["range"])
    tab.protected.extend(tab.columns[columns])


def _rename(spreadsheet: Spreadsheet, said: Said) -> None:
    spreadsheet.tab(said["properties"]["sheetId"]).title = said["properties"]["title"]


def _tag(spreadsheet: Spreadsheet, said: Said) -> None:
    tag = said["developerMetadata"]
    spreadsheet.tag(tag["metadataId"], (tag["metadataKey"], tag["metadataValue"]), tag["location"])


REQUESTS: dict[str, Callable[[Spreadsheet, Said], None]] = {
    "addSheet": _add_tab,
    "appendDimension": _append,
    "insertDimension": _insert,
    "deleteDimension": _delete,
    "moveDimension": _move,
    "sortRange": _sort,
    "mergeCells": _merge,
    "addProtectedRange": _protect,
    "updateSheetProperties": _rename,
    "createDeveloperMetadata": _tag,
}
