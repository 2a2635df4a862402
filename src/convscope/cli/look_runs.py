"""convscope look over several runs: the part `dead`, which tells of all of them together."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from convscope.cli.show import warn
from convscope.errors import UserError

if TYPE_CHECKING:
    from convscope.inside.results.index import Look
    from convscope.inside.subject.subject import Subject
    from convscope.run import Run

MOST_NAMED = 3


def are_several(nets: Sequence[str]) -> bool:
    """Whether more is named than one net: several, or a folder that holds runs."""
    from convscope.run import CONFIG

    folder = Path(nets[0])
    holds_runs = not (folder / CONFIG).is_file() and any(folder.glob(f"*/{CONFIG}"))
    return len(nets) > 1 or holds_runs


def look_over(
    nets: Sequence[str],
    parts: Sequence[str],
    clips: Path | None,
    n_clips: int,
    out: Path,
    trust_code: bool,
) -> "Look":
    """The part `dead` of runs, or folders of runs, with a bar of progress.

    Raises:
        UserError: for another part, for what holds no runs, or where none is done.
    """
    from convscope.inside.subject.run_subject import subject_of_run
    from convscope.looking import look_over_runs
    from convscope.progress.bar import naming_bar

    if list(parts) != ["dead"]:
        raise UserError(
            "one net is looked at at a time, only --what dead takes several runs: expected one "
            f"run's folder, got {_some(nets)}; or give --what dead alone"
        )
    runs = _finished(nets)
    with naming_bar() as tell:

        def subject_of(run: "Run") -> "Subject":
            decoding = partial(tell, f"decoding for {run.name}")
            return subject_of_run(run, clips, n_clips, decoding, trust_code)

        return look_over_runs(runs, subject_of, out, partial(tell, "dead"))


def _finished(nets: Sequence[str]) -> "list[Run]":
    from convscope.scores.rows import find_runs

    runs = find_runs([Path(net) for net in nets])
    unfinished = [run.name for run in runs if not run.is_done]
    if len(unfinished) == len(runs):
        raise UserError(f"none of {len(runs)} runs is done: train one to its end, or name others")
    if unfinished:
        left_out = f"{len(unfinished)} of {len(runs)} runs left out, as not done"
        warn(f"{left_out}: {_some(unfinished)}")
    return [run for run in runs if run.is_done]


def _some(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
