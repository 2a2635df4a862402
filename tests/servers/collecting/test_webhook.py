"""What a webhook is told, and how often."""

import json
import sqlite3
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from convscope.servers.collect_settings import CollectSettings
from convscope.servers.collecting.history import History
from convscope.servers.collecting.webhook import Webhook, message, news, post_json
from convscope.servers.sensing.state import ServerState, Status

ADDRESS = "http://127.0.0.1:9/hooks/secret"


def states(**statuses: Status) -> dict[str, ServerState]:
    return {
        name: ServerState(name, status, since=5.0, problem="no route" if status == "down" else None)
        for name, status in statuses.items()
    }


class Address:
    """Takes what is sent to it, unless it is broken."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.is_broken = False

    def __call__(self, address: str, body: bytes) -> None:
        assert address == ADDRESS
        if self.is_broken:
            raise OSError("connection refused")
        self.bodies.append(json.loads(body))

    @property
    def texts(self) -> list[str]:
        return [body["text"] for body in self.bodies]


@pytest.fixture
def settings(tmp_path: Path) -> CollectSettings:
    return CollectSettings(history=tmp_path / "history.sqlite")


@pytest.fixture
def history(settings: CollectSettings) -> Iterator[History]:
    history = History(settings)
    yield history
    history.close()


def tick(webhook: Webhook, **statuses: Status) -> None:
    webhook(0.0, states(**statuses), {})


def test_going_down_and_coming_back_are_told_once_each(history: History) -> None:
    address = Address()
    webhook = Webhook(ADDRESS, history, address)
    for status in ("up", "up", "down", "down", "down", "slow", "up"):
        tick(webhook, a=status, b="up")
    assert address.texts == ["a is down: no route", "a is back"]
    assert address.bodies[0]["servers"] == [
        {"server": "a", "status": "down", "since": 5.0, "problem": "no route"}
    ]


def test_all_that_changes_in_a_tick_is_told_at_once(history: History) -> None:
    address = Address()
    webhook = Webhook(ADDRESS, history, address)
    tick(webhook, a="down", b="up", c="unknown")
    tick(webhook, a="up", b="down", c="down")
    assert address.texts == [
        "a is down: no route",
        "a is back\nb is down: no route\nc is down: no route",
    ]


def test_a_server_that_is_up_at_first_sight_is_no_news() -> None:
    assert news(states(a="up", b="slow", c="unknown"), set()) == []
    assert [each["server"] for each in news(states(a="down"), set())] == ["a"]
    assert news(states(a="unknown"), {"a"}) == []


def test_what_could_not_be_told_is_told_at_a_later_tick(history: History) -> None:
    address = Address()
    webhook = Webhook(ADDRESS, history, address)
    address.is_broken = True
    for _ in range(3):
        with pytest.raises(ConnectionError, match=r"webhook at 127\.0\.0\.1: connection refused$"):
            tick(webhook, a="down")
    address.is_broken = False
    for _ in range(3):
        tick(webhook, a="down")
    assert address.texts == ["a is down: no route"]


def test_what_changed_back_before_it_could_be_told_is_no_news(history: History) -> None:
    address = Address()
    webhook = Webhook(ADDRESS, history, address)
    address.is_broken = True
    with pytest.raises(ConnectionError):
        tick(webhook, a="down")
    address.is_broken = False
    tick(webhook, a="up")
    assert address.texts == []


def test_a_new_start_of_the_collector_tells_nothing_twice(settings: CollectSettings) -> None:
    address = Address()
    for statuses in (("up", "down"), ("down", "down"), ("up", "up")):
        history = History(settings)
        webhook = Webhook(ADDRESS, history, address)
        for status in statuses:
            tick(webhook, a=status)
        history.close()
    assert address.texts == ["a is down: no route", "a is back"]


def test_a_history_on_a_full_disk_makes_nothing_be_told_twice(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_servers: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    address = Address()
    webhook = Webhook(ADDRESS, history, address)
    with monkeypatch.context() as patch:
        patch.setattr(history, "tell_down", full)
        for _ in range(3):
            with pytest.raises(sqlite3.OperationalError):
                tick(webhook, a="down")
    tick(webhook, a="down")
    assert address.texts == ["a is down: no route"]
    assert history.down_told() == {"a"}


def test_an_address_that_hangs_is_sent_nothing_else_until_it_has_answered(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("convscope.servers.collecting.webhook.SECONDS", 0.0)
    answer, sent = Event(), []

    def hang(_address: str, body: bytes) -> None:
        answer.wait(60)
        sent.append(json.loads(body)["text"])

    webhook = Webhook(ADDRESS, history, hang)
    for statuses in (states(a="down"), states(a="down", b="down")):
        with pytest.raises(ConnectionError, match="has not answered yet"):
            webhook(0.0, statuses, {})
    answer.set()
    assert webhook._under_way is not None
    webhook._under_way[0].join(60)
    monkeypatch.setattr("convscope.servers.collecting.webhook.SECONDS", 60.0)
    for _ in range(2):
        tick(webhook, a="down", b="down")
    assert sent == ["a is down: no route", "b is down: no route"]
    assert history.down_told() == {"a", "b"}


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    """A server that answers with the code in the path, and keeps what it was sent."""
    bodies: list[tuple[str, str | None, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            bodies.append((self.command, self.headers["Content-Type"], body))
            self.send_response(int(self.path.strip("/")))
            self.send_header("Location", "/200")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.bodies = bodies  # type: ignore[attr-defined]
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_json_is_posted(server: HTTPServer) -> None:
    body = message(news(states(größe="down"), set()))
    post_json(f"http://127.0.0.1:{server.server_port}/204", body)
    assert server.bodies == [("POST", "application/json", body)]  # type: ignore[attr-defined]
    assert json.loads(body)["text"] == "größe is down: no route"


@pytest.mark.parametrize("code", [302, 404, 500])
def test_an_address_that_does_not_take_it_is_told_without_its_secret(
    history: History, server: HTTPServer, code: int
) -> None:
    webhook = Webhook(f"http://127.0.0.1:{server.server_port}/{code}", history)
    with pytest.raises(ConnectionError, match=rf"^the webhook at 127\.0\.0\.1: answers {code}$"):
        tick(webhook, a="down")
    assert history.down_told() == set()


def test_an_address_where_nobody_listens_is_told_in_a_line(history: History) -> None:
    with pytest.raises(ConnectionError, match=r"^the webhook at 127\.0\.0\.1: .*refused") as caught:
        tick(Webhook(ADDRESS, history), a="down")
    assert "secret" not in str(caught.value)
