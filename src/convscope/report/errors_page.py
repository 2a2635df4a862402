"""A page to hear or see the clips that a run labels wrongly."""

from collections.abc import Sequence
from pathlib import Path

from convscope.report.clips import is_sound, shown_clips
from convscope.report.html import render, write_page
from convscope.run import Run
from convscope.scores.errors import WrongClip
from convscope.training.cell import cell_of

MOST_CLIPS = 100


def errors_page(run: Run, clips: Sequence[WrongClip], out: Path, most: int = MOST_CLIPS) -> Path:
    """Make `out/index.html`, which holds all that it shows, and return its path.

    Args:
        run: the run that labelled the clips; its settings say where their files lie.
        clips: the clips, in the order to be shown.
        out: the page's folder, made if need be.
        most: so many clips are shown; the page says how many are left out.

    Raises:
        UserError: the page cannot be written.
    """
    values = {
        "run": run.name,
        "clips": shown_clips(run, list(clips[:most])),
        "n_wrong": len(clips),
        "n_scored": run.scores.get("n"),
        "n_left_out": max(0, len(clips) - most),
        "sound": is_sound(cell_of(run).data),
    }
    return write_page(Path(out) / "index.html", render("errors.html", values))
