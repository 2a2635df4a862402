"""A large file comes whole or goes on where it was cut."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from convscope.data.fetching.download import download
from convscope.errors import UserError

BODY = bytes(range(256)) * 400


@dataclass
class Script:
    """How the server answers, and what it was asked."""

    body: bytes = BODY
    knows_range: bool = True
    cut_after: int | None = None  # bytes of each answer, then the connection closes
    says_length: bool = True
    shift: int = 0  # of the range that it sends against the one asked for
    status: int | None = None
    ranges: list[str | None] = field(default_factory=list)


def handler(script: Script) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            script.ranges.append(asked)
            if script.status:
                self.send_error(script.status)
                return
            start = 0
            if asked and script.knows_range:
                start = int(asked.removeprefix("bytes=").rstrip("-")) + script.shift
                if start >= len(script.body):
                    self.send_error(416)
                    return
            rest = script.body[start:]
            self.send_response(206 if start else 200)
            if start:
                last = len(script.body) - 1
                self.send_header("Content-Range", f"bytes {start}-{last}/{last + 1}")
            if script.says_length:
                self.send_header("Content-Length", str(len(rest)))
            self.end_headers()
            self.wfile.write(rest[: script.cut_after])

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


@pytest.fixture
def serve() -> Iterator[Callable[[Script], str]]:
    """`serve(script)`: the address of a server on this machine that follows it."""
    servers: list[tuple[ThreadingHTTPServer, threading.Thread]] = []

    def start(script: Script) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler(script))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}/file.tar.gz"

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


Serve = Callable[[Script], str]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.tar.gz"


def part_of(path: Path) -> Path:
    return path.with_name("file.tar.gz.part")


def test_a_file_comes_whole(path: Path, serve: Serve) -> None:
    steps: list[tuple[int, int]] = []
    download(serve(Script()), path, len(BODY), lambda *step: steps.append(step))
    assert path.read_bytes() == BODY
    assert steps[-1] == (len(BODY), len(BODY))
    assert not part_of(path).exists()


def test_it_goes_on_from_what_an_earlier_call_left(path: Path, serve: Serve) -> None:
    part_of(path).write_bytes(BODY[:70_000])
    script = Script()
    download(serve(script), path, len(BODY))
    assert script.ranges == ["bytes=70000-"]
    assert path.read_bytes() == BODY


def test_a_cut_connection_is_taken_up_again(path: Path, serve: Serve) -> None:
    script = Script(cut_after=40_000)
    download(serve(script), path, len(BODY))
    assert script.ranges == [None, "bytes=40000-", "bytes=80000-"]
    assert path.read_bytes() == BODY


def test_a_server_that_ignores_range_sends_it_all_again(path: Path, serve: Serve) -> None:
    part_of(path).write_bytes(b"x" * 70_000)
    download(serve(Script(knows_range=False)), path, len(BODY))
    assert path.read_bytes() == BODY


@pytest.mark.parametrize("shift", [5, -5])
def test_a_server_that_sends_another_range_is_not_believed(
    path: Path, serve: Serve, shift: int
) -> None:
    part_of(path).write_bytes(b"x" * 70_000)
    script = Script(shift=shift)
    download(serve(script), path, len(BODY))
    assert script.ranges == ["bytes=70000-", None]
    assert path.read_bytes() == BODY


def test_a_part_that_the_server_cannot_continue_is_fetched_anew(path: Path, serve: Serve) -> None:
    part_of(path).write_bytes(b"x" * (len(BODY) - 1))
    script = Script(shift=10)  # 416: it has nothing from there on
    download(serve(script), path, len(BODY))
    assert script.ranges == [f"bytes={len(BODY) - 1}-", None]
    assert path.read_bytes() == BODY


def test_a_part_that_is_too_long_is_fetched_anew(path: Path, serve: Serve) -> None:
    part_of(path).write_bytes(b"x" * (len(BODY) + 1))
    download(serve(Script()), path, len(BODY))
    assert path.read_bytes() == BODY


def test_a_complete_part_needs_no_network(path: Path) -> None:
    part_of(path).write_bytes(BODY)
    download("http://127.0.0.1:9/", path, len(BODY))
    assert path.read_bytes() == BODY


def test_no_more_is_written_than_the_file_has(path: Path, serve: Serve) -> None:
    download(serve(Script(body=BODY + b"more", says_length=False)), path, len(BODY))
    assert path.read_bytes() == BODY


def test_a_page_in_place_of_the_file_is_refused_and_what_is_there_kept(
    path: Path, serve: Serve
) -> None:
    part_of(path).write_bytes(BODY[:70_000])
    url = serve(Script(body=b"<html>Log in first</html>", knows_range=False))
    with pytest.raises(UserError, match=r"not the file expected: 102,400 bytes, got 25: check"):
        download(url, path, len(BODY))
    assert part_of(path).read_bytes() == BODY[:70_000]


def test_a_server_that_gives_nothing_is_given_up(path: Path, serve: Serve) -> None:
    script = Script(cut_after=0)
    with pytest.raises(UserError, match=r"cannot be fetched beyond 0 of 102,400 bytes \(the conn"):
        download(serve(script), path, len(BODY))
    assert len(script.ranges) == 3


def test_a_server_that_always_starts_over_is_given_up(path: Path, serve: Serve) -> None:
    with pytest.raises(UserError, match=r"cannot be fetched beyond 40,000 of 102,400 bytes"):
        download(serve(Script(knows_range=False, cut_after=40_000)), path, len(BODY))


def test_an_address_that_is_not_there_is_named(path: Path, serve: Serve) -> None:
    with pytest.raises(UserError, match=r"file\.tar\.gz answers 404 Not Found: or fetch it with"):
        download(serve(Script(status=404)), path, len(BODY))


def test_without_network_the_message_says_what_to_do(path: Path, serve: Serve) -> None:
    message = (
        r"^http://127\.0\.0\.1:9/f cannot be fetched beyond 0 of 102,400 bytes \(.*refused\): run "
        r"the same command again .* with a browser, put it to .*file\.tar\.gz and run the same"
    )
    with pytest.raises(UserError, match=message) as caught:
        download("http://127.0.0.1:9/f", path, len(BODY))
    assert "\n" not in str(caught.value)
    assert not path.exists()
