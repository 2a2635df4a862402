"""A1 notation, such as 'Some tab'!B2:C, of a made-up spreadsheet."""

import re

from convscope.servers.demo.fake_spreadsheet import Refused, Spreadsheet, Tab

RANGE = re.compile(r"(?:('(?:[^']|'')*'|[^!]*)!)?([A-Z]*)([0-9]*)(?::([A-Z]*)([0-9]*))?")


def a1_range(spreadsheet: Spreadsheet, text: str) -> tuple[Tab, slice, slice]:
    """The tab, rows and columns that a range means; a title alone means all of its tab."""
    if _title(text) in [tab.title for tab in spreadsheet.tabs]:
        return spreadsheet.titled(_title(text)), slice(None), slice(None)
    match = RANGE.fullmatch(text)
    if not match or not text.rpartition("!")[2]:
        raise Refused(f"Unable to parse range: {text}")
    title, left, top, right, bottom = match.groups()
    tab = spreadsheet.titled(_title(title)) if title else spreadsheet.tabs[0]
    if right is None and bottom is None:
        right, bottom = left, top
    return tab, _span(top, bottom), _span(_number(left), _number(right))


def _title(text: str) -> str:
    quoted = re.fullmatch(r"'(.*)'", text, re.DOTALL)
    return quoted[1].replace("''", "'") if quoted else text


def _span(first: str | int | None, last: str | int | None) -> slice:
    return slice(int(first) - 1 if first else 0, int(last) if last else None)


def _number(letters: str) -> int:
    """A is 1, Z 26, AA 27; 0 for none."""
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number
