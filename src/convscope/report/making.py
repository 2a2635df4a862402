"""A report from run folders to files: all of it is made before any of it is written."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from convscope.errors import UserError
from convscope.report.document.build import Told, document
from convscope.report.document.catalogue import Catalogue
from convscope.report.document.groups import Planned, grouped
from convscope.report.document.news import State, as_json, state_of
from convscope.report.rendering.numbers import as_csv
from convscope.report.rendering.page import as_html
from convscope.run import Run, write_atomically
from convscope.scores.rows import read_row


@dataclass(frozen=True)
class Wanted:
    """The files of a report.

    Attributes:
        page: the HTML file; its state stands beside it, as JSON of the same name.
        slides: a PowerPoint file; None: none.
        latex, csv: folders; None: none.
    """

    page: Path
    slides: Path | None = None
    latex: Path | None = None
    csv: Path | None = None

    @property
    def state(self) -> Path:
        """Where the report keeps what it said."""
        return self.page.with_suffix(".json")


def told_of(
    runs: Sequence[Run], planned: Sequence[Planned], date: str, before: State | None
) -> Told:
    """What a report is of.

    Raises:
        UserError: no run is done.
    """
    groups = tuple(grouped(runs, planned))
    if not groups:
        states = ", ".join(f"{run.name} {read_row(run).state}" for run in runs[:3])
        raise UserError(
            f"none of {len(runs)} runs is done ({states or 'no run at all'}): "
            "a report needs a finished run; train one to its end"
        )
    shown = {row.run for group in groups for row in group.rows}
    left_out = tuple(run.name for run in runs if run.name not in shown)
    return Told(groups, date, before, left_out)


def make_report(told: Told, say: Catalogue, wanted: Wanted, title: str | None = None) -> list[Path]:
    """Make and write the files; the page is the last of the paths.

    Raises:
        UserError: python-pptx is missing, or a file cannot be written.
    """
    made = document(say, told, title)
    files: dict[Path, bytes] = {}
    if wanted.csv is not None:
        files |= {wanted.csv / name: content for name, content in as_csv(made).items()}
    if wanted.latex is not None:
        from convscope.report.rendering.latex import as_latex

        files |= {wanted.latex / name: content for name, content in as_latex(made).items()}
    if wanted.slides is not None:
        from convscope.report.rendering.slides import as_slides

        files[wanted.slides] = as_slides(made)
    files[wanted.state] = as_json(state_of(told.groups, told.date)).encode()
    files[wanted.page] = as_html(made, say.style)
    _write(files)
    return list(files)


def _write(files: dict[Path, bytes]) -> None:
    for folder in dict.fromkeys(path.parent for path in files):
        _check_writable(folder)
    for path, content in files.items():
        try:
            write_atomically(path, lambda file, content=content: file.write(content))  # type: ignore[misc]
        except OSError as error:
            raise UserError(
                f"{path} cannot be written ({error.strerror}): name a place that you may write to"
            ) from None


def _check_writable(folder: Path) -> None:
    """Refuse a folder that cannot be made or written, before anything is."""
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        why = "is a file" if not there.is_dir() else "may not be written"
        raise UserError(f"{folder}: {there} {why}: name a folder that you may write to")
