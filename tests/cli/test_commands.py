"""How a command ends: mistakes in the command line, results apart from all else, bars, signals."""

import os
import re
import signal
from collections.abc import Callable
from typing import Any

import pytest

from convscope.cli.commands import Terminated, computing, heed_sigterm, resumable
from convscope.progress.bar import Bar

Convscope = Callable[..., Any]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nosuch"], "'nosuch' is no command; known: demo, .*; see convscope --help"),
        (["trian"], r"'trian' is no command \(did you mean 'train'\?\)"),
        (["train"], "missing argument .*RECIPE.*; see convscope train --help"),
        (["data"], "missing command; see convscope data --help"),
        (["data", "chek"], r"'chek' is no command \(did you mean 'check'\?\)"),
        (
            ["data", "make-words", "d", "--clips", "x"],
            "'--clips': .* integer.*; see convscope data ma",
        ),
        (["data", "get", "foo", "bar"], "'foo' is not .*speech-commands.*; see convscope data get"),
        (["doctor", "--jsno"], "no such option:? .*--jsno"),
        (["doctor", "more"], r"unexpected extra argument.*\(more\); see convscope doctor --help"),
    ],
)
def test_a_mistake_in_the_command_line_is_one_line(
    convscope: Convscope, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    code, out, err = convscope(*arguments)
    assert (code, out) == (2, "")
    [line] = err.splitlines()
    assert line.startswith("convscope: ")
    assert re.search(message, line), line


def test_no_command_at_all_shows_the_help(convscope: Convscope) -> None:
    answer = convscope()
    assert answer.code == 0
    assert "make-words" not in answer.out
    assert "describe" in answer.out


def test_what_is_printed_in_computing_is_no_result(capsys: pytest.CaptureFixture[str]) -> None:
    with computing():
        print("from a module")
    print("result")
    assert capsys.readouterr() == ("result\n", "from a module\n")


@pytest.mark.parametrize(("has_kept", "note"), [(True, "goes on from here"), (False, "no epoch")])
def test_an_interrupted_command_says_whether_it_goes_on(has_kept: bool, note: str) -> None:
    with pytest.raises(KeyboardInterrupt) as error, resumable(lambda: has_kept):
        raise KeyboardInterrupt
    assert note in error.value.__notes__[0]


@pytest.mark.parametrize(("interrupt", "code"), [(KeyboardInterrupt, 130), (Terminated, 143)])
def test_what_cannot_go_on_does_not_say_so(
    convscope: Convscope, monkeypatch: pytest.MonkeyPatch, interrupt: type[Exception], code: int
) -> None:
    def examine() -> None:
        raise interrupt

    monkeypatch.setattr("convscope.doctor.examine", examine)
    answer = convscope("doctor")
    assert (answer.code, answer.err) == (code, "convscope: interrupted\n")


def test_sigterm_is_heeded_as_ctrl_c_is() -> None:
    before = signal.getsignal(signal.SIGTERM)
    try:
        heed_sigterm()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_bar_that_is_told_nothing_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Bar("silent"):
        pass
    assert capsys.readouterr() == ("", "")
    with Bar("heard") as bar:
        bar.tell(completed=1, total=2)
    assert "heard" in capsys.readouterr().err
