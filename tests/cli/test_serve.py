"""convscope serve: one line for every mistake, and a page that answers."""

import builtins
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Convscope


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder with a run that has only begun."""
    run = tmp_path / "runs" / "custom-1"
    run.mkdir(parents=True)
    (run / "config.yaml").write_text("model: {family: custom}\n")
    return run.parent


def test_a_folder_without_runs_is_one_line(convscope: Convscope, tmp_path: Path) -> None:
    answer = convscope("serve", tmp_path)
    assert answer.code == 2
    assert "holds no run" in answer.err


def test_a_port_in_use_is_one_line(convscope: Convscope, runs: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answer = convscope("serve", runs, "--port", port)
    assert answer.code == 2
    assert f"--port {port} is in use" in answer.err


@pytest.mark.parametrize("host", ["192.0.2.7", "no such host"])
def test_an_address_of_another_machine_is_one_line(
    convscope: Convscope, runs: Path, host: str
) -> None:
    answer = convscope("serve", runs, "--host", host, "--port", "0")
    assert answer.code == 2
    assert f"--host {host}" in answer.err


def test_a_missing_extra_is_named(
    convscope: Convscope, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "convscope.web.serving":
            raise ModuleNotFoundError(name="fastapi")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    answer = convscope("serve", runs)
    assert answer.code == 2
    assert "pip install 'convscope[web]'" in answer.err


def test_it_answers_at_the_address_that_it_prints_until_it_is_interrupted(runs: Path) -> None:
    command = [sys.executable, "-m", "convscope", "serve", str(runs), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        url = process.stdout.readline().decode().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{32}", url)
        with urllib.request.urlopen(url) as page:
            assert b"custom-1" in page.read()
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert process.returncode == 130
