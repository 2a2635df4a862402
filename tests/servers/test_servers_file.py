from pathlib import Path

import pytest

from convscope.errors import UserError
from convscope.servers.admission.limits import Limits
from convscope.servers.servers_file import read_servers_file

EXAMPLE = """
limits:
  free_gpu_memory_bytes: 2 GiB
  load_per_core: 1.0
servers:
  gpu7:
    limits: {load_per_core: 0.5}
  big:
    host: gpu12.lab.org
    limits: {others_gpu_memory_bytes: null}
  quiet: {}
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, and an empty folder to be in."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return tmp_path


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_without_a_file_there_are_no_limits() -> None:
    assert read_servers_file().limits_for("anything") is None


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    assert read_servers_file(written(tmp_path / "a.yaml", "# nothing yet\n")).limits is None


def test_the_nearest_file_is_read(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> float | None:
        limits = read_servers_file().limits
        return limits.load_per_core if limits else None

    written(home / ".config/convscope/servers.yaml", "limits: {load_per_core: 1}")
    assert found() == 1
    written(home / "settings/convscope/servers.yaml", "limits: {load_per_core: 2}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "settings"))
    assert found() == 2
    written(home / "here/servers.yaml", "limits: {load_per_core: 3}")
    assert found() == 3
    named = written(home / "other.yaml", "limits: {load_per_core: 4}")
    assert read_servers_file(named).limits == Limits(load_per_core=4)


def test_a_servers_own_limits_lie_over_those_for_all(home: Path) -> None:
    file = read_servers_file(written(home / "servers.yaml", EXAMPLE))
    shared = Limits(free_gpu_memory_bytes=2**31, load_per_core=1.0)
    assert file.limits_for("unheard-of") == shared
    assert file.limits_for("quiet") == shared
    assert file.limits_for("gpu7") == shared.model_copy(update={"load_per_core": 0.5})
    assert file.limits_for("gpu12") == shared.model_copy(update={"others_gpu_memory_bytes": None})


def test_a_server_may_be_the_only_one_with_limits(home: Path) -> None:
    text = "servers: {a: {limits: {load_per_core: 1}}, b: {}}"
    file = read_servers_file(written(home / "servers.yaml", text))
    assert file.limits_for("a") == Limits(load_per_core=1)
    assert file.limits_for("b") is file.limits_for("c") is None


@pytest.mark.parametrize(
    ("hostname", "found"),
    [("gpu7", True), ("GPU7.lab.org", True), ("gpu70", False), ("lab", False), ("gpu12", True),
     ("gpu12.lab.org", True), ("gpu12.other.org", False), ("big", False)],
)  # fmt: skip
def test_a_server_is_found_by_its_host(home: Path, hostname: str, found: bool) -> None:
    file = read_servers_file(written(home / "servers.yaml", EXAMPLE))
    assert (file.limits_for(hostname) != file.limits) == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("limit: {}", r"bad\.yaml: limit is not a known key \(did you mean 'limits'\?\); known:"),
        ("limits: {lod: 1}", r"bad\.yaml: limits\.lod is not a known key"),
        ("limits: {free_disk_bytes: much}", r"limits\.free_disk_bytes: expected bytes"),
        ("servers: {a: {hosts: b}}", r"servers\.a\.hosts is not a known key \(did you mean 'host'"),
        ("servers: {a: {limits: {load_core: 1}}}", r"a\.limits\.load_core .*mean 'load_per_core'"),
        ("servers: {a: {}, b: {host: A}}", "servers: a and b are the same host, a: keep one"),
        (
            "servers: {a: {}, a: {}}",
            "is not YAML: line 1: the key a stands there twice: keep",
        ),
        ("servers: {7: {}}", r"servers\.7.*expected string"),
        ("time_zone: Europe", "time_zone: expected a name such as Europe/Berlin, got 'Europe'"),
        (f"time_zone: {'a' * 400}", "time_zone: expected a name such as Europe/Berlin"),
        ("people: {Anna: anna}", r"people\.Anna: expected a list, got 'anna'"),
        ("collect: {history: ~nobody.here/h}", r"history: expected a path, .* nobody's home"),
        (
            "sheet: {id: 1aBcDeFgHi, credentials: ~nobody.here/k}",
            r"credentials: expected a path, .*nobody's home",
        ),
        ("sheet: {id: 1aBcDeFgHiJk, tab: t}", r"sheet\.credentials is missing( |$)"),
        ("sheet: {id: short}", r"sheet\.id: expected at least 10 characters, got 'short'"),
        (
            "sheet: {id: 1aBcDeFgHi, credentials: k, tab: ''}",
            r"sheet\.tab: expected at least 1 character",
        ),
        (
            "sheet: {id: 1aBcDeFgHi, credentials: k, tab: t, server_column: ''}",
            r"sheet\.server_column: expected at least 1 character",
        ),
        ("collect: {every_seconds: 1.0e+300}", r"every_seconds: expected less than or equal to"),
        ("servers: [a]", "servers: expected keys and values, got"),
        ("- a", r"expected keys such as servers and limits, got \['a'\]"),
        ("a: [", "is not YAML: line 1: "),
        ("[" * 5000, "is not YAML"),
        ("a: \x00", "is not YAML"),
    ],
)
def test_a_mistake_is_told_in_one_line(home: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_servers_file(written(home / "bad.yaml", text))
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(home / "bad.yaml"))


@pytest.mark.parametrize(
    "address",
    ["chat.lab.org/SECRET", "https:///SECRET", "'https://[x/SECRET'", "https://x/SECRET y",
     "https://x/SECRETÄ", "https://x:y/SECRET", "[https://x/SECRET]", "ftp://x/SECRET"],
)  # fmt: skip
def test_a_wrong_webhook_is_told_without_its_secret(home: Path, address: str) -> None:
    with pytest.raises(UserError, match="webhook: expected an address such as") as caught:
        read_servers_file(written(home / "bad.yaml", f"collect: {{webhook: {address}}}"))
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("end", ["", "/edit", "?usp=sharing", "#gid=0", "/edit?gid=0#gid=0"])
def test_the_sheets_whole_address_is_taken(home: Path, end: str) -> None:
    address = f"https://docs.google.com/spreadsheets/d/1aBc-De_FgHiJk{end}"
    text = f"sheet: {{id: '{address}', credentials: k, tab: t}}"
    sheet = read_servers_file(written(home / "servers.yaml", text)).sheet
    assert sheet
    assert sheet.id == "1aBc-De_FgHiJk"


def test_a_file_that_cannot_be_read_is_told(home: Path) -> None:
    with pytest.raises(UserError, match=r"none\.yaml: no such file: expected a servers file"):
        read_servers_file(home / "none.yaml")
    with pytest.raises(UserError, match=r"cannot be read \(Is a directory\)"):
        read_servers_file(home)
    (home / "latin.yaml").write_bytes(b"servers: {caf\xe9: {}}")
    with pytest.raises(UserError, match=r"is not YAML: .*utf-8"):
        read_servers_file(home / "latin.yaml")


def test_the_example_in_the_documentation_is_one(home: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "servers.md").read_text()
    example = page.partition("```yaml\n")[2].partition("```")[0]
    file = read_servers_file(written(home / "servers.yaml", example))
    assert set(file.servers) == {"gpu7", "big"}
    assert [key for key in Limits.model_fields if f"| `{key}` |" not in page] == []
