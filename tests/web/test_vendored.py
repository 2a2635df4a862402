"""What is not ours is small, named by its version, and has its licence beside it."""

from convscope.web.frame.assets import STATIC, assets

MOST_BYTES = 150_000

VENDORED = STATIC / "vendor"


def test_it_is_small() -> None:
    assert sum(path.stat().st_size for path in VENDORED.iterdir()) < MOST_BYTES


def test_every_file_has_a_licence_and_a_version() -> None:
    notice = (VENDORED / "README.txt").read_text()
    for path in VENDORED.glob("*.min.*"):
        library = path.name.partition("-")[0]
        assert path.name in notice
        assert (VENDORED / f"{library}-LICENSE.txt").is_file()


def test_an_address_changes_with_what_is_served() -> None:
    found = assets()
    assert found.url("css/base.css") == f"/static/{found.digest}/css/base.css"
    assert found.files["css/base.css"] == (STATIC / "css" / "base.css").read_bytes()
