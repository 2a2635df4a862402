"""A Google Sheet by its REST API (v4), through gspread's HTTP client.

Tags are developer metadata with numbers of our own choice. By the API's reference such a number is
unique in a spreadsheet, stays with its row, column or tab while that moves and is deleted with it,
and a request that makes one that is there already fails, whole. What the reference does not say is
what becomes of a row's metadata when people sort rows; so only columns and tabs are tagged.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from convscope.errors import UserError
from convscope.servers.sheet_interface import MAKER, Changes, Rows, SheetBusy, SheetRefused, tag_of

if TYPE_CHECKING:
    from gspread.http_client import HTTPClient

ADDRESS = "https://sheets.googleapis.com/v4/spreadsheets"
TRY_LATER = {408, 429}
GUIDE = "see docs/google-sheet.md"


class GoogleSheet:
    """The spreadsheet `sheet_id`, a `Sheet`; `account` is the e-mail address that acts in it."""

    def __init__(self, client: "HTTPClient", sheet_id: str, account: str, address: str = ADDRESS):
        self._client = client
        self._account = account
        self._address = f"{address}/{sheet_id}"

    def tabs(self) -> dict[str, int]:
        asked = {"fields": "sheets.properties(sheetId,title)"}
        tabs = self._ask("get", "", params=asked).get("sheets", [])
        return {tab["properties"]["title"]: tab["properties"]["sheetId"] for tab in tabs}

    def tags(self) -> dict[int, int]:
        lookup = {"dataFilters": [{"developerMetadataLookup": {"metadataKey": MAKER}}]}
        answer = self._ask("post", "/developerMetadata:search", lookup)
        found = [match["developerMetadata"] for match in answer.get("matchedDeveloperMetadata", [])]
        return {tag["metadataId"]: _tab_of(tag["location"]) for tag in found}

    def read(self, tab: int, tags: Collection[int]) -> tuple[Rows, dict[int, Rows]]:
        rows: Rows = []
        tagged: dict[int, Rows] = {}
        for match in self._read([{"gridRange": {"sheetId": tab}}, *map(_tagged, tags)]):
            for asked in match["dataFilters"]:
                texts = _texts(match)
                if "gridRange" in asked:
                    rows = texts
                else:
                    tagged[asked["developerMetadataLookup"]["metadataId"]] = texts
        return rows, tagged

    def read_tab(self, title: str) -> Rows:
        quoted = title.replace("'", "''")
        answer = self._read([{"a1Range": f"'{quoted}'"}], "UNFORMATTED_VALUE")
        return _texts(answer[0]) if answer else []

    def write(self, cells: Mapping[int, Changes]) -> None:
        data = [
            {"dataFilter": _tagged(tag), "majorDimension": "ROWS", "values": rows}
            for tag, rows in cells.items()
        ]
        body = {"valueInputOption": "RAW", "data": data}  # a login is never taken for a formula
        self._ask("post", "/values:batchUpdateByDataFilter", body)

    def make_tab(self, title: str, tag: str, columns: Sequence[str] = ()) -> None:
        number = tag_of(tag)
        tab = {"addSheet": {"properties": {"sheetId": number, "title": title}}}
        tags = [_tag(column, _column(number, i)) for i, column in enumerate(columns)]
        self._change([tab, _tag(tag, {"sheetId": number}), *tags])

    def make_columns(self, tab: int, at: int, tags: Sequence[str]) -> None:
        """Insert and tag in one request: what is tagged is what was inserted, whatever moved.

        Columns cannot be inserted behind the last one, hence the one that is added there.
        """
        added = {"sheetId": tab, "dimension": "COLUMNS", "length": 1}
        inserted = {"range": _columns(tab, at, at + len(tags)), "inheritFromBefore": False}
        made = [_tag(tag, _column(tab, at + i)) for i, tag in enumerate(tags)]
        self._change([{"appendDimension": added}, {"insertDimension": inserted}, *made])

    def _read(
        self, filters: list[dict[str, Any]], shown_as: str = "FORMATTED_VALUE"
    ) -> list[dict[str, Any]]:
        body = {"dataFilters": filters, "majorDimension": "ROWS", "valueRenderOption": shown_as}
        answer = self._ask("post", "/values:batchGetByDataFilter", body)
        found: list[dict[str, Any]] = answer.get("valueRanges", [])
        return found

    def _change(self, requests: list[dict[str, Any]]) -> None:
        self._ask("post", ":batchUpdate", {"requests": requests})

    def _ask(
        self, method: str, path: str, body: Any = None, params: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        from google.auth.exceptions import GoogleAuthError, RefreshError
        from gspread.exceptions import APIError
        from requests import RequestException

        try:
            response = self._client.request(method, self._address + path, params=params, json=body)
            answer: dict[str, Any] = response.json()
            return answer
        except APIError as error:
            raise self._meant(error.response.status_code, str(error.error["message"])) from None
        except RefreshError as error:
            if getattr(error, "retryable", False):  # older versions do not tell
                raise SheetBusy("Google gives no access at the moment") from None
            raise UserError(
                f"sheet.credentials: Google refuses the key of {self._account}: "
                f"make a new one, {GUIDE}"
            ) from None
        except (RequestException, GoogleAuthError, ValueError) as error:
            raise SheetBusy(f"the sheet cannot be reached ({type(error).__name__})") from None

    def _meant(self, code: int, message: str) -> Exception:
        """What an answer other than "done" means."""
        said = " ".join(message.split())[:200]
        if code in TRY_LATER or code >= 500:
            return SheetBusy(f"Google asks to try later ({code})")
        if code == 404:
            return UserError(f"sheet.id: Google knows no such sheet: expected its address, {GUIDE}")
        if code == 403 and "API has not been used" in message:
            return UserError(f"the sheet: enable the Google Sheets API in your project, {GUIDE}")
        if code in (401, 403):
            return UserError(f"the sheet: share it with {self._account} as an editor ({said})")
        return SheetRefused(f"the sheet refuses a change: {said}")


def _tagged(tag: int) -> dict[str, Any]:
    return {"developerMetadataLookup": {"metadataId": tag}}


def _tag(name: str, location: dict[str, Any]) -> dict[str, Any]:
    tag = {
        "metadataId": tag_of(name),
        "metadataKey": MAKER,
        "metadataValue": name,
        "location": location,
        "visibility": "DOCUMENT",  # a collector of another Google Cloud project sees it as well
    }
    return {"createDeveloperMetadata": {"developerMetadata": tag}}


def _columns(tab: int, start: int, end: int) -> dict[str, Any]:
    return {"sheetId": tab, "dimension": "COLUMNS", "startIndex": start, "endIndex": end}


def _column(tab: int, index: int) -> dict[str, Any]:
    return {"dimensionRange": _columns(tab, index, index + 1)}


def _tab_of(location: Mapping[str, Any]) -> int:
    number: int = location.get("dimensionRange", location).get("sheetId", 0)  # 0 is left out
    return number


def _texts(match: Mapping[str, Any]) -> Rows:
    return [[str(cell) for cell in row] for row in match["valueRange"].get("values", [])]
