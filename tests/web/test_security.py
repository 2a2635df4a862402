"""Who may ask for what, and what every answer says."""

from collections.abc import Callable
from pathlib import Path

import pytest

from convscope.web.frame.security import CSP, Access, split_host
from tests.web.conftest import Explorer, MakeRun

Explore = Callable[..., Explorer]


@pytest.fixture
def explorer(explore: Explore, sound_run: MakeRun) -> Explorer:
    return explore(sound_run().folder.parent)


@pytest.mark.parametrize("path", ["/", "/nothing", "/static/0/css/base.css", "/news%00"])
def test_every_answer_says_what_it_may_load(explorer: Explorer, path: str) -> None:
    headers = explorer.ask(path).headers
    assert headers["content-security-policy"] == CSP
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "127.0.0.1:1"])
def test_another_host_is_refused(explorer: Explorer, host: str) -> None:
    answer = explorer.ask("/", Host=host)
    assert answer.status == 421
    assert "open it by the address it printed" in answer.text


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
def test_this_machine_by_its_own_names_is_answered(explorer: Explorer, name: str) -> None:
    assert explorer.ask("/", Host=f"{name}:{explorer.access.port}").status == 200


def test_a_public_explorer_shows_nothing_without_its_token(
    explore: Explore, sound_run: MakeRun
) -> None:
    explorer = explore(sound_run().folder.parent, is_public=True)
    assert explorer.ask("/").status == 401
    assert explorer.ask("/?token=wrong").status == 401
    assert explorer.ask("/static/0/css/base.css").status == 401
    cookie = f"{explorer.access.cookie}={explorer.access.token}"
    assert explorer.ask("/", Cookie=cookie).status == 200
    assert explorer.ask("/", Cookie=cookie, Host="evil.example").status == 421


def test_the_token_becomes_a_cookie_and_leaves_the_address(explorer: Explorer) -> None:
    answer = explorer.ask(f"/grid?where=seed%3D0&token={explorer.access.token}")
    assert (answer.status, answer.headers["location"]) == (303, "/grid?where=seed%3D0")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie


def test_the_token_leads_to_no_other_host(explorer: Explorer) -> None:
    answer = explorer.ask(f"//evil.example/?token={explorer.access.token}")
    assert answer.headers.get("location", "/") in ("/", "/evil.example/")


def test_a_post_from_elsewhere_changes_nothing(explorer: Explorer) -> None:
    for origin in ("http://evil.example", "null", f"https://127.0.0.1:{explorer.access.port}"):
        answer = explorer.post("/sweep/any/cancel", Origin=origin)
        assert answer.status == 403
    assert "open the address" in explorer.post("/sweep/any/cancel", Cookie="").text
    assert explorer.post("/sweep/any/cancel").status == 404


def test_a_form_without_end_is_refused(explorer: Explorer) -> None:
    assert explorer.post("/sweep/any/cancel", b"cell=" + b"x" * (2**20 + 1)).status == 413
    assert explorer.post("/sweep/any/cancel", b"\xff\xfe").status == 422


@pytest.mark.parametrize(
    "path",
    [
        "/static/0/../../app.py",
        "/static/0/%2e%2e/%2e%2e/app.py",
        "/run/..%2f..%2fetc",
        "/run/%2e%2e",
        "/run/../../etc/passwd",
        "/run/.",
    ],
)
def test_no_address_leads_out(explorer: Explorer, path: str) -> None:
    assert explorer.ask(path).status == 404


def test_a_link_out_of_the_data_is_not_opened(
    explore: Explore, sound_run: MakeRun, tmp_path: Path
) -> None:
    run = sound_run()
    secret = tmp_path / "secret.wav"
    clip = tmp_path / "sounds" / "bed" / "0_nohash_0.wav"
    clip.rename(secret)
    clip.symlink_to(secret)
    explorer = explore(run.folder)
    answer = explorer.ask(f"/run/{run.name}/clip/0.wav")
    assert answer.status == 422
    assert "leads out of the data folder" in answer.text
    assert explorer.ask(f"/run/{run.name}/clip/1.wav").status == 200


def test_hosts_are_split_into_name_and_port() -> None:
    assert split_host("localhost:80") == ("localhost", 80)
    assert split_host("[::1]:80") == ("::1", 80)
    assert split_host("[::1]") == ("::1", None)
    assert split_host("a") == ("a", None)
    assert split_host("a:b") == ("a", 0)


def test_an_address_in_numbers_is_ours_only_of_a_public_explorer() -> None:
    assert Access(80, is_public=True).knows_host("10.0.0.7:80")
    assert not Access(80).knows_host("10.0.0.7:80")
    assert Access(80, names=("lab7",)).knows_host("lab7:80")
