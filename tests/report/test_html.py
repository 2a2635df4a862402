import base64
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from convscope.errors import UserError
from convscope.report.html import count, data_uri, or_dash, picture, share, sizes, write_page


def test_a_data_uri_holds_the_content() -> None:
    content = bytes(range(256))
    head, _, body = data_uri(content, "audio/wav").partition(",")
    assert head == "data:audio/wav;base64"
    assert base64.b64decode(body) == content


def test_a_picture_is_an_svg_with_a_font_that_every_machine_has() -> None:
    figure = Figure()
    figure.text(0.5, 0.5, "bed & bird")
    svg = base64.b64decode(picture(figure).removeprefix("data:image/svg+xml;base64,")).decode()
    assert svg.startswith("<svg")
    assert "bed &amp; bird" in svg
    assert "sans-serif" in svg


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (share(0.12345), "0.123"),
        (share(0.12345, 4), "0.1235"),
        (share(None), "–"),
        (count(1_234_567), "1,234,567"),
        (count(None), "–"),
        (sizes((64, 5333)), "64×5333"),
        (sizes(None), "–"),
        (or_dash(0), "0"),
        (or_dash(0.0), "0.0"),
        (or_dash(None), "–"),
    ],
)
def test_numbers_are_shown_as_people_read_them(shown: str, expected: str) -> None:
    assert shown == expected


def test_a_page_that_cannot_be_written_is_a_users_error_and_leaves_what_was_there(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(UserError, match=r"file/page\.html cannot be written .*: name a place"):
        write_page(tmp_path / "file" / "page.html", "text")
    assert (tmp_path / "file").read_text() == "kept"
