"""Servers asked through a real sshd on loopback, each port of which is a server of another kind."""

import socket
import stat
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from convscope.errors import UserError
from convscope.servers.collect_settings import CollectSettings
from convscope.servers.collecting.collect import collect_once
from convscope.servers.sensing import ssh as ssh_module
from convscope.servers.sensing.record import MachineRecord
from convscope.servers.sensing.ssh import Ssh, explain, script, socket_folder
from convscope.servers.servers_file import Server, ServersFile
from tests.servers.sshd_lab import Lab, free_ports, lab, missing

PLENTY = 60.0
"""Seconds; what answers at all does so long before."""

SHIFTED = """#!/bin/sh
[ "$1" = -c ] && exec {python} "$@"
exec {python} -c 'import sys, time
now = time.time
time.time = lambda: now() {shift}
exec(sys.stdin.read())' --disk /
"""
NO_PYTHON = """#!/bin/sh
[ "$1" = -c ] && exit 1
echo 'SyntaxError: an old Python reads this' >&2
exit 1
"""
HALF = '{"time": 1700000000.0, "hostname": "gpu7", "load_1m"'


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    if why := missing():
        pytest.skip(why)
    with lab(tmp_path_factory.mktemp("sshd")) as made:
        made.start(
            {
                "up": None,
                "hung": "exec sleep 60",
                "half": f"printf '{HALF}'",
                "dies": f"printf '{HALF}'; kill -9 $PPID",
                "garbage": "head -c 5000 /dev/urandom",
                "mute": "true",
                "big": "head -c 10000000 /dev/zero | tr '\\0' x",
                "endless": "yes",
                "greeting": "printf 'Welcome! {\"time\" is money}\\n# '; exec /bin/sh -s",
                "late": "sleep 0.5; exec /bin/sh -s",
                "ahead": with_python(made, "ahead", SHIFTED, "+ 7200"),
                "behind": with_python(made, "behind", SHIFTED, "- 7200"),
                "old": with_python(made, "old", NO_PYTHON),
            }
        )
        made.add_host("stranger", made.ports["up"], key="stranger_key")
        made.add_host("changed", made.ports["up"], known_hosts="changed_hosts")
        made.add_host("new", made.ports["up"], known_hosts="no_hosts")
        made.add_host("refused", free_ports(1)[0])
        yield made


def with_python(made: Lab, name: str, text: str, shift: str = "") -> str:
    """A command that does what it is asked to, with a program of ours as python3."""
    (made.folder / name).mkdir()
    made.script(f"{name}/python3", text.format(python=sys.executable, shift=shift))
    return f"PATH={made.folder / name}:$PATH exec /bin/sh -s"


@pytest.fixture
def ssh(servers: Lab) -> Ssh:
    return Ssh(config=servers.config, persist_seconds=30)


def test_a_server_that_is_up_gives_its_record(ssh: Ssh) -> None:
    poll = ssh.ask("up", Server(), PLENTY)
    assert poll.problem is None
    assert poll.record is not None
    assert poll.record["hostname"] == socket.gethostname()
    assert set(poll.record) == {*MachineRecord.model_fields, "clock_offset_s"}
    assert abs(poll.record["clock_offset_s"]) < 60
    assert not any("clock" in problem for problem in poll.record["problems"])


def test_it_is_asked_for_the_disk_of_the_folder_that_the_file_names(ssh: Ssh) -> None:
    poll = ssh.ask("up", Server(disk='/proc/it\'s "odd" $HOME'), PLENTY)
    assert poll.record is not None
    assert poll.record["disk_total_bytes"] == 0  # that of /proc, by which nothing was expanded


def test_its_host_name_may_be_another_and_is_no_option(ssh: Ssh) -> None:
    assert ssh.ask("big machine", Server(host="up"), PLENTY).record is not None
    assert "invalid characters" in (ssh.ask("x", Server(host="-V"), PLENTY).problem or "")


def test_the_second_poll_goes_through_the_first_ones_connection(servers: Lab, ssh: Ssh) -> None:
    servers.add_host("twice", servers.ports["up"])
    log = servers.folder / "sshd.log"
    logins = [log.read_text().count("Accepted publickey")]
    for _ in range(2):
        assert ssh.ask("twice", Server(), PLENTY).record is not None
        logins.append(log.read_text().count("Accepted publickey"))
    assert logins[1] == logins[2] == logins[0] + 1


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("half", "breaks off in its answer"),
        ("garbage", "answers no record but"),
        ("mute", "answers nothing"),
        ("big", "answers more than 1 MiB, which was cut off"),
        ("endless", "answers more than 1 MiB, which was cut off"),
        ("stranger", "does not accept our key: `ssh stranger` must log in without a question"),
        ("changed", "has another host key than before"),
        ("new", "has a host key that is not known here: run `ssh new` once"),
        ("refused", "refuses the connection: no ssh server listens there"),
    ],
)
def test_what_gives_no_record_says_why(servers: Lab, ssh: Ssh, kind: str, words: str) -> None:
    poll = ssh.ask(kind, Server(), PLENTY)
    assert poll.record is None
    assert poll.problem is not None
    assert words in poll.problem
    assert "\n" not in poll.problem
    assert list(socket_folder().glob(ssh._socket(kind).name)) == []


def test_a_changed_host_key_is_named_by_its_line(servers: Lab, ssh: Ssh) -> None:
    problem = ssh.ask("changed", Server(), PLENTY).problem or ""
    assert f"delete the old one in {servers.folder}/changed_hosts:" in problem


def test_one_that_dies_while_it_answers_is_told_from_one_that_is_well(ssh: Ssh) -> None:
    problem = ssh.ask("dies", Server(), PLENTY).problem
    lost = "loses the connection before it answers"  # how far the half came is left to chance
    assert problem in ("breaks off in its answer", lost)


def test_one_that_hangs_is_given_up_and_asked_anew_through_another_connection(ssh: Ssh) -> None:
    for _ in range(2):
        poll = ssh.ask("hung", Server(), 1.0)
        assert (poll.problem or "").startswith(("does not answer within 1 s", "cannot be reached"))
        assert not ssh._socket("hung").exists()


def test_one_that_takes_connections_and_says_nothing_is_given_up(servers: Lab, ssh: Ssh) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        servers.add_host("silent", silent.getsockname()[1])
        poll = ssh.ask("silent", Server(), 1.0)
    assert poll.record is None


def test_a_greeting_before_the_record_is_passed_over(ssh: Ssh) -> None:
    assert ssh.ask("greeting", Server(), PLENTY).record is not None


def test_without_a_python_that_is_new_enough_the_shell_answers(ssh: Ssh) -> None:
    poll = ssh.ask("old", Server(), PLENTY)
    assert poll.record is not None
    assert poll.record["time"] % 1 == 0  # as the shell counts
    assert poll.record["memory_total_bytes"] > 0


@pytest.mark.parametrize(
    ("kind", "sign", "words"), [("ahead", 1, "ahead"), ("behind", -1, "behind")]
)
def test_a_clock_two_hours_off_is_told_and_does_not_matter(
    ssh: Ssh, kind: str, sign: int, words: str
) -> None:
    poll = ssh.ask(kind, Server(), PLENTY)
    assert poll.record is not None
    assert abs(poll.record["clock_offset_s"] - sign * 7200) < 60
    assert any(p.startswith("its clock is ") and words in p for p in poll.record["problems"])
    assert abs(poll.time - time.time()) < 60


def test_a_tick_over_all_kinds(servers: Lab, ssh: Ssh) -> None:
    names = ("up", "hung", "late", "refused", "garbage", "big", "dies", "stranger", "ahead")
    file = ServersFile(
        servers={name: Server() for name in names},
        collect=CollectSettings(answer_seconds=PLENTY, slow_seconds=0.4, down_after=1),
    )

    def ask(name: str, server: Server, seconds: float) -> object:
        return ssh.ask(name, server, 1.0 if name == "hung" else seconds)

    states = collect_once(file, {}, ask)  # type: ignore[arg-type]
    assert list(states) == list(names)
    judged = {name: state.status for name, state in states.items()}
    assert judged["late"] == "slow"
    assert judged["up"] in ("up", "slow")
    assert judged["ahead"] in ("up", "slow")
    assert {name for name, status in judged.items() if status == "down"} == {*names} - {
        "up",
        "late",
        "ahead",
    }


def test_polls_under_way_end_when_they_are_to_stop(ssh: Ssh) -> None:
    polls: list[object] = []
    thread = threading.Thread(target=lambda: polls.append(ssh.ask("hung", Server(), 1e6)))
    thread.start()
    ssh.stopped.set()
    thread.join(PLENTY)
    assert len(polls) == 1


# Without sshd --------------------------------------------------------------------------------


def test_connections_are_kept_where_nobody_else_can_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/nowhere")
    assert socket_folder().parent == Path("/tmp")
    assert stat.S_IMODE(socket_folder().stat().st_mode) == 0o700
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(ssh_module, "LONGEST_FOLDER", 1000)
    folder = socket_folder()
    assert folder.parent == tmp_path
    folder.chmod(0o755)
    with pytest.raises(UserError, match="must be a folder that is ours alone"):
        socket_folder()
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(UserError, match="must be a folder that is ours alone"):
        socket_folder()


def test_a_control_path_is_short_enough_for_a_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda program: program)  # also where there is no ssh
    monkeypatch.setenv("XDG_RUNTIME_DIR", "")
    path = Ssh(config=Path("/a" * 500))._socket("gpu7." + "very-long-name." * 20 + "org")
    assert len(str(path)) + len(".XXXXXXXXXXXXXXXX") <= 103


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            "ssh: connect to host x port 22: Connection timed out\n",
            "nothing answers at its address",
        ),
        ("Connection timed out during banner exchange\n", "nothing answers at its address"),
        ("ssh: Could not resolve hostname x: Name or service not known\n", "check `host`"),
        ("ssh: connect to host x port 22: No route to host\n", "no way to its address"),
        (
            "\n/etc/ssh_config: line 3: Bad configuration option: foo\x1b[31m\n\n",
            "line 3: Bad conf",
        ),
    ],
)
def test_what_ssh_says_in_plain_words(said: str, words: str) -> None:
    assert words in explain(said, "x")
    assert "\x1b" not in explain(said, "x")


def test_without_ssh_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="asked through ssh, which is not here: install OpenSSH"):
        Ssh()


def test_what_is_sent_holds_both_sensors() -> None:
    sent = script("/data")
    assert "def read_machine" in sent
    assert "add_problem" in sent
