"""convscope sweeps: what there is, and what is asked of a sweep while it runs and after."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from convscope.progress.sweep_view import LineView
from convscope.run import Run

Convscope = Callable[..., Any]

GRID = """
data: {kind: words, words: [low, high], rate_hz: 2000, seconds: 0.25}
model: {family: custom, conv_layers: 2, base_channels: 4}
train: {epochs: 2, batch_size: 16, threads: 1, device: cpu}
grid: {seeds: 3}
"""


@pytest.fixture
def grid(tmp_path: Path) -> Path:
    path = tmp_path / "grid.yaml"
    path.write_text(GRID)
    return path


def when(monkeypatch: pytest.MonkeyPatch, words: str, action: Callable[[], Any]) -> None:
    """Do something when the sweep first says some words."""
    seen: list[str] = []

    def line(_view: LineView, text: str) -> None:
        if words in text and not seen:
            seen.append(text)
            action()

    monkeypatch.setattr(LineView, "line", line)


def test_a_sweep_and_its_cells_are_cancelled_and_tried_again(
    convscope: Convscope,
    grid: Path,
    recordings: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "runs"
    command = ("sweep", grid, f"data.folder={recordings}", "--out", out, "--workers", "1")
    dry = convscope(*command, "--dry-run", "--json").out.splitlines()
    first, second, third = (json.loads(line)["run"] for line in dry)

    def sweeps(what: str, *cells: str) -> Any:
        return convscope("sweeps", what, "grid", *cells, "--out", out, "--json")

    def counts() -> tuple[int, ...]:
        [row] = convscope("sweeps", "ls", "--out", out, "--json").json
        assert row["driver"] is None
        return tuple(row[state] for state in ("done", "waiting", "cancelled"))

    when(monkeypatch, f"{first} starts", lambda: sweeps("cancel", first, third))
    assert convscope(*command, "--json").json["cancelled"] == 2
    assert counts() == (1, 0, 2)
    assert Run(out / second).is_done

    assert sweeps("cancel", second).code == 2, "it is done"
    assert sweeps("cancel").code == 2, "nobody drives it"
    assert sweeps("retry", third).json == [third]
    assert counts() == (1, 1, 1)

    when(monkeypatch, f"{third} starts", lambda: sweeps("cancel"))
    answer = convscope(*command, "--json")
    assert (answer.code, answer.json["waiting"]) == (130, 1)
    assert "the same command goes on from here" in answer.err
    assert counts() == (1, 1, 1)

    assert sweeps("retry").json == [first]
    shown = convscope("sweeps", "show", "grid", "--out", out)
    assert "3 cells, 1 done" in shown.out
    assert "nobody drives it: its convscope sweep, given again, goes on" in shown.out
    assert convscope(*command).code == 0
    assert counts() == (3, 0, 0)
    states = [json.loads(line)["state"] for line in sweeps("show").out.splitlines()]
    assert states == ["done"] * 3


def test_a_folder_without_sweeps_is_told_in_words(convscope: Convscope, tmp_path: Path) -> None:
    answer = convscope("sweeps", "ls", "--out", tmp_path)
    assert answer.code == 2
    assert "holds no sweep" in answer.err
    answer = convscope("sweeps", "show", "none", "--out", tmp_path)
    assert answer.code == 2
    assert "none: no sweep of that name" in answer.err
