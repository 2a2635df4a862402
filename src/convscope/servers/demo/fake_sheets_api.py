"""What the Sheets API (v4) answers, of a made-up spreadsheet: the part of it that is needed here.

Where the public reference leaves open what happens, `strict` chooses: with it, a data filter that
matches nothing is refused, otherwise it is passed over.
"""

import copy
from collections.abc import Callable
from typing import Any, TypeAlias

from convscope.servers.demo.fake_a1 import a1_range
from convscope.servers.demo.fake_requests import REQUESTS
from convscope.servers.demo.fake_spreadsheet import Refused, Spreadsheet, Tab, trimmed

Json: TypeAlias = dict[str, Any]
Span: TypeAlias = tuple[Tab, slice, slice]
"""A tab, some rows and some columns of it."""

PROTECTED = (
    "You are trying to edit a protected cell or object. Please contact the spreadsheet owner to "
    "remove protection if you need to edit."
)


def answer(spreadsheet: Spreadsheet, path: str, body: Json, strict: bool) -> Json:
    """The answer to a request; `path` is what follows the spreadsheet's id.

    Raises:
        Refused: for what is answered with 400; nothing has changed then.
    """
    if path in READS:
        return READS[path](spreadsheet, body, strict)
    if path not in WRITES:
        raise Refused(f"no such method: {path}")
    changed = copy.deepcopy(spreadsheet)  # all or nothing
    WRITES[path](changed, body, strict)
    spreadsheet.tabs = changed.tabs
    return {}


def _tabs(spreadsheet: Spreadsheet, _body: Json, _strict: bool) -> Json:
    properties = [{"sheetId": tab.number, "title": tab.title} for tab in spreadsheet.tabs]
    return {"sheets": [{"properties": one} for one in properties]}


def _search(spreadsheet: Spreadsheet, body: Json, _strict: bool) -> Json:
    lookups = [one["developerMetadataLookup"] for one in body["dataFilters"]]
    found = [
        {"metadataId": tag, "metadataKey": key, "metadataValue": value, "location": location}
        for tag, (key, value), location in spreadsheet.tags()
    ]
    matched = [tag for tag in found if any(lookup.items() <= tag.items() for lookup in lookups)]
    return {"matchedDeveloperMetadata": [{"developerMetadata": tag} for tag in matched]}


def _get_tagged(spreadsheet: Spreadsheet, body: Json, strict: bool) -> Json:
    ranges = [
        {"valueRange": _values(span), "dataFilters": [asked]}
        for asked in body["dataFilters"]
        for span in _spans(spreadsheet, asked, strict)
    ]
    return {"valueRanges": ranges} if ranges else {}


def _get(spreadsheet: Spreadsheet, body: Json, _strict: bool) -> Json:
    return {"valueRanges": [_values(a1_range(spreadsheet, one)) for one in body["ranges"]]}


def _values(span: Span) -> Json:
    tab, rows, columns = span
    values = trimmed([row[columns] for row in tab.cells[rows]])
    found: Json = {"majorDimension": "ROWS", "range": f"'{tab.title}'"}
    return {**found, "values": values} if values else found


def _update_tagged(spreadsheet: Spreadsheet, body: Json, strict: bool) -> None:
    for one in body["data"]:
        for span in _spans(spreadsheet, one["dataFilter"], strict):
            _write(span, one["values"], body)


def _update(spreadsheet: Spreadsheet, body: Json, _strict: bool) -> None:
    for one in body["data"]:
        _write(a1_range(spreadsheet, one["range"]), one["values"], body)


def _write(span: Span, values: list[list[str | None]], body: Json) -> None:
    """Write from the first cell of a span on; null is passed over."""
    is_raw = body.get("valueInputOption") == "RAW"
    tab, rows, columns = span
    height, width = len(tab.cells[rows]), len(tab.columns[columns])
    if len(values) > height or any(len(row) > width for row in values):
        raise Refused(f"Requested writing within range '{tab.title}', but tried writing beyond it")
    for i, row in enumerate(values):
        for j, text in enumerate(row):
            if text is None:
                continue
            if tab.columns[columns][j] in tab.protected:
                raise Refused(PROTECTED)
            shown = text if is_raw or not text.startswith("=") else "#REF!"
            tab.write((rows.start or 0) + i, (columns.start or 0) + j, shown)


def _spans(spreadsheet: Spreadsheet, asked: Json, strict: bool) -> list[Span]:
    """What a data filter matches."""
    every = slice(None)
    if "gridRange" in asked:
        return [(spreadsheet.tab(asked["gridRange"].get("sheetId", 0)), every, every)]
    if "a1Range" in asked:
        return [a1_range(spreadsheet, asked["a1Range"])]
    lookup = asked["developerMetadataLookup"]
    found = []
    for tag, (key, value), location in spreadsheet.tags():
        said = {"metadataId": tag, "metadataKey": key, "metadataValue": value}
        if lookup.items() <= said.items():
            found.append(_span(spreadsheet, location))
    if strict and not found:
        raise Refused(f"No range matches {lookup}")
    return found


def _span(spreadsheet: Spreadsheet, location: Json) -> Span:
    where = location.get("dimensionRange", location)
    tab = spreadsheet.tab(where["sheetId"])
    if where is location:
        return tab, slice(None), slice(None)
    lines = slice(where["startIndex"], where["endIndex"])
    if where["dimension"] == "ROWS":
        return tab, lines, slice(None)
    return tab, slice(None), lines


def _change(spreadsheet: Spreadsheet, body: Json, _strict: bool) -> None:
    for request in body["requests"]:
        for kind, said in request.items():
            REQUESTS[kind](spreadsheet, said)


READS: dict[str, Callable[[Spreadsheet, Json, bool], Json]] = {
    "": _tabs,
    "/developerMetadata:search": _search,
    "/values:batchGet": _get,
    "/values:batchGetByDataFilter": _get_tagged,
}

WRITES: dict[str, Callable[[Spreadsheet, Json, bool], None]] = {
    ":batchUpdate": _change,
    "/values:batchUpdate": _update,
    "/values:batchUpdateByDataFilter": _update_tagged,
}
