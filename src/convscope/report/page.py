"""One page of any number of runs: the board, and what is to be known of each."""

from collections.abc import Sequence
from pathlib import Path

from convscope.errors import UserError
from convscope.figures import AccuracyPoint, accuracy_params_figure
from convscope.report.html import picture, render, write_page
from convscope.report.section import section
from convscope.run import Run
from convscope.scores.board import board_rows
from convscope.scores.rows import BoardRow

N_CLIPS = 6


def report_page(
    runs: Sequence[Run],
    out_file: Path,
    title: str = "convscope report",
    notes: Sequence[str] = (),
    n_clips: int = N_CLIPS,
) -> Path:
    """Make one file that holds all that it shows, and return its path.

    The best run is laid open, the other finished ones can be unfolded; unfinished ones stand on the
    board alone. The same runs give the same bytes.

    Args:
        runs: at least one.
        out_file: the page; replaced whole.
        title: its heading.
        notes: paragraphs to stand below the heading.
        n_clips: wrongly labelled clips of each run to hear or see.

    Raises:
        UserError: there is no run, or the page cannot be written.
    """
    if not runs:
        raise UserError("report: expected at least one run, got none: train one first")
    rows = board_rows(runs)
    run_of = {run.name: run for run in runs}
    values = {
        "title": title,
        "notes": notes,
        "rows": rows,
        "picture": _accuracy_picture(rows),
        "sections": [
            section(run_of[row.run], row, n_clips) for row in rows if row.accuracy is not None
        ],
    }
    return write_page(Path(out_file), render("report.html", values))


def _accuracy_picture(rows: Sequence[BoardRow]) -> str | None:
    points = [
        AccuracyPoint(_network(row), row.params, row.accuracy, row.interval, row.pareto)
        for row in rows
        if row.params is not None and row.accuracy is not None and row.interval is not None
    ]
    return picture(accuracy_params_figure(points)) if points else None


def _network(row: BoardRow) -> str:
    channels = "" if row.base_channels is None else f" ch{row.base_channels}"
    layers = "" if row.conv_layers is None else f", {row.conv_layers} layers"
    return f"{row.family}{channels}{layers}"
