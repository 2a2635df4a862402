"""Fetching one large file of known size, going on where an earlier attempt was cut."""

import os
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from ssl import SSLError
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from convscope.data.listing.files import Progress
from convscope.errors import UserError

_ATTEMPTS = 3  # in a row without a single new byte
_CHUNK = 2**20
_TIMEOUT_S = 60


def download(url: str, path: Path, n_bytes: int, progress: Progress | None = None) -> None:
    """Fetch `url` to `path`, which appears only when it has all its bytes.

    Until then they are in `path` + `.part`, which the next call continues. Contents are for the
    caller to verify.

    Raises:
        UserError: no connection, an answer that is not the file, or too many cuts.
    """
    part = path.with_name(f"{path.name}.part")
    failures = most = 0
    while (have := _size(part)) != n_bytes:
        if have > n_bytes:
            part.unlink()
            continue
        try:
            _fetch_rest(url, part, n_bytes, progress)
            reason = "the connection was cut"
        except HTTPError as error:
            raise UserError(
                f"{url} answers {error.code} {error.reason}: {_by_hand(path)}"
            ) from None
        except (HTTPException, URLError, ConnectionError, TimeoutError, SSLError) as error:
            reason = str(getattr(error, "reason", error)) or type(error).__name__
        failures = 0 if _size(part) > max(have, most) else failures + 1
        most = max(most, _size(part))
        if failures == _ATTEMPTS:
            raise UserError(
                f"{url} cannot be fetched beyond {_size(part):,} of {n_bytes:,} bytes ({reason}): "
                f"run the same command again when there is a connection, it goes on from there; "
                f"{_by_hand(path)}"
            )
    os.replace(part, path)


def _fetch_rest(url: str, part: Path, n_bytes: int, progress: Progress | None) -> None:
    """Append what the server sends beyond what is there, as far as the connection holds."""
    request = Request(url, headers={"Range": f"bytes={_size(part)}-"} if _size(part) else {})
    try:
        answer: HTTPResponse = urlopen(request, timeout=_TIMEOUT_S)
    except HTTPError as error:
        if error.code == 416 and part.exists():  # the server's file ends before ours does
            part.unlink()
            return
        raise
    with answer:
        start = _first_byte(answer)
        _refuse_other_size(url, answer, start, n_bytes)
        if start != _size(part):  # the file from its beginning, whatever was asked for
            part.unlink(missing_ok=True)
        if start == _size(part):
            _append(answer, part, n_bytes, progress)


def _append(answer: HTTPResponse, part: Path, n_bytes: int, progress: Progress | None) -> None:
    have = _size(part)
    with part.open("ab") as file:
        while have < n_bytes and (chunk := answer.read(min(_CHUNK, n_bytes - have))):
            file.write(chunk)
            have += len(chunk)
            if progress:
                progress(have, n_bytes)


def _first_byte(answer: HTTPResponse) -> int:
    """Where in the file an answer begins: `Content-Range: bytes 100-199/200`; -1 if unclear."""
    if answer.status != 206:
        return 0
    numbers = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(numbers) if numbers.isdigit() else -1


def _refuse_other_size(url: str, answer: HTTPResponse, start: int, n_bytes: int) -> None:
    length = answer.headers.get("Content-Length", "")
    if length.isdigit() and start + int(length) != n_bytes:
        raise UserError(
            f"{url} is not the file expected: {n_bytes:,} bytes, got {start + int(length):,}: "
            f"check whether a proxy or a login page answers in its place"
        )


def _by_hand(path: Path) -> str:
    return f"or fetch it with a browser, put it to {path} and run the same command again"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
