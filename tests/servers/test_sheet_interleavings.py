"""Whatever people do between two calls, no cell of theirs changes and the status ends right."""

import re
import runpy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from convscope.servers.sheet import cells as sheet_cells
from convscope.servers.sheet.google_sheet import GoogleSheet
from convscope.servers.sheet_interface import MAKER, tag_of

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "sheet_interleavings.py"
N = 20
"""Enough for each of the careless programs below to be caught."""


@pytest.fixture(scope="module")
def script() -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(SCRIPT)))


@pytest.fixture
def run(script: SimpleNamespace, tmp_path: Path) -> Callable[[], None]:
    """The short form of benchmarks/sheet_interleavings.py."""

    def run() -> None:
        with script.made_up_google(tmp_path) as google:
            for seed in range(N):
                script.Interleaving(*google, seed).run()

    return run


def test_no_cell_of_people_changes_and_the_status_ends_right(run: Callable[[], None]) -> None:
    run()


# The same, of programs that are less careful: each must be caught ----------------------------


def test_writing_to_all_that_has_our_key_would_reach_copies_that_people_made(
    run: Callable[[], None], script: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {tag_of(name): name for name in ("status", "load", "seen", "collector")}

    def by_key(self: GoogleSheet, cells: dict[int, Any]) -> None:
        data = [{"dataFilter": _of_key(names[tag]), "values": v} for tag, v in cells.items()]
        self._ask("post", "/values:batchUpdateByDataFilter", {"data": data})

    monkeypatch.setattr(GoogleSheet, "write", by_key)
    with pytest.raises(script.Broken, match="changed what people made"):
        run()


def _of_key(name: str) -> dict[str, Any]:
    return {"developerMetadataLookup": {"metadataKey": MAKER, "metadataValue": name}}


def test_tagging_columns_in_a_later_call_would_tag_columns_of_people(
    run: Callable[[], None], script: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    change, tags = GoogleSheet._change, GoogleSheet.tags
    later: list[dict[str, Any]] = []

    def without_tags(self: GoogleSheet, requests: list[dict[str, Any]]) -> None:
        later.clear()
        if any("insertDimension" in request for request in requests):
            later.extend(requests[2:])
            requests = requests[:2]
        change(self, requests)

    def with_tags(self: GoogleSheet) -> dict[int, int]:
        if later:
            change(self, later)
            later.clear()
        return tags(self)

    monkeypatch.setattr(GoogleSheet, "_change", without_tags)
    monkeypatch.setattr(GoogleSheet, "tags", with_tags)
    with pytest.raises(script.Broken, match="changed what people made"):
        run()


def test_without_knowing_our_texts_again_a_status_would_become_a_header(
    run: Callable[[], None], script: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheet_cells, "OURS", re.compile("(?!)"))
    with pytest.raises(script.Broken, match="the header of"):
        run()
