"""The page that docs/explorer.md adds to the explorer is there when it is added so."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter
from jinja2 import ChoiceLoader, DictLoader
from starlette.requests import Request
from starlette.responses import Response

from convscope.web import app
from convscope.web.frame.pages import catalogue_of, environment, page
from tests.web.conftest import Explorer, MakeRun

DOCS = Path(__file__).parents[2] / "docs" / "explorer.md"


def test_a_page_is_added_as_the_documentation_says(
    explore: Callable[..., Explorer], sound_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, template = re.findall(
        r"```\n(.*?)```", DOCS.read_text().partition("## A page of")[2], re.S
    )
    names: dict[str, Any] = {
        each.__name__: each for each in (APIRouter, Counter, Request, Response, catalogue_of, page)
    }
    exec(code, names)
    usual = environment().loader
    assert usual is not None
    both = ChoiceLoader([DictLoader({"hosts/hosts.html": template}), usual])
    monkeypatch.setattr(environment(), "loader", both)
    section = app.Section("Hosts", "/hosts", names["router"])
    monkeypatch.setattr(app, "PAGES", (*app.PAGES, section))
    run = sound_run()
    run.write_status(host="lab7")
    run.finish()
    explorer = explore(run.folder)
    found = explorer.ask("/hosts").text
    assert '<th scope="row">lab7</th><td class="n">1</td>' in found
    assert '<a href="/hosts" aria-current="page">Hosts</a>' in found
    assert explorer.ask("/hosts?format=json").text == '{"lab7": 1}'
