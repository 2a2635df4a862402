"""A key file that is no good is refused in one line that tells nothing of what it holds."""

import json
from pathlib import Path

import pytest

from convscope.errors import UserError
from convscope.servers.sheet.open_sheet import open_google_sheet
from tests.servers.sheet_lab import SheetLab, made_up_google, made_up_lab  # noqa: F401

SECRET = "s3cret"


def refused(lab: SheetLab, path: Path) -> str:
    """What is said of a key file."""
    settings = lab.servers(credentials=path).sheet
    assert settings
    with pytest.raises(UserError) as error:
        open_google_sheet(settings)
    assert "\n" not in str(error.value)
    assert SECRET not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_that_others_may_read_is_refused(lab: SheetLab, tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key.json"
    path.write_text(lab.key.read_text())
    path.chmod(mode)
    said = refused(lab, path)
    assert f"can be read by others (mode {mode:o})" in said
    assert said.endswith(f"run chmod 600 {path}")


def test_a_missing_key_is_refused(lab: SheetLab, tmp_path: Path) -> None:
    assert "cannot be read (No such file or directory)" in refused(lab, tmp_path / "key.json")


@pytest.mark.parametrize(
    ("text", "got"),
    [
        (f"{{ {SECRET}", "no JSON"),
        ("\xff\xfe", "no JSON"),
        ("[" * 100_000, "no JSON"),
        (json.dumps([SECRET]), "other JSON"),
        (json.dumps({"installed": {"client_secret": SECRET}}), "other JSON"),
        (json.dumps({"type": "service_account", "private_key": SECRET}), "something else"),
        (
            json.dumps(
                {
                    "type": "service_account",
                    "private_key": SECRET,
                    "client_email": "a@b.c",
                    "token_uri": "https://a.b",
                }
            ),
            "something else",
        ),
    ],
)
def test_a_file_that_is_no_key_is_refused(
    lab: SheetLab, tmp_path: Path, text: str, got: str
) -> None:
    path = tmp_path / "key.json"
    path.touch(mode=0o600)
    path.write_text(text, encoding="latin-1")
    assert f"expected a service account's key file, got {got}" in refused(lab, path)
