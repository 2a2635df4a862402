"""convscope report: what was run, as a page, slides, LaTeX and tables."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from convscope.cli.commands import computing
from convscope.cli.show import Json, print_json, print_line
from convscope.errors import UserError

if TYPE_CHECKING:
    from convscope.report.document.groups import Planned
    from convscope.report.document.news import State
    from convscope.run import Run


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(report)


def report(
    runs: Annotated[
        list[Path] | None, typer.Argument(help="Run folders, or folders of them.", readable=False)
    ] = None,
    sweep: Annotated[
        Path | None, typer.Option("--sweep", help="A sweep's folder, runs/sweeps/NAME: its cells.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="The page.")] = Path("report.html"),
    title: Annotated[str | None, typer.Option("--title", help="Its heading.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="DAY", help="Only runs finished from then on.")
    ] = None,
    compare: Annotated[
        str | None,
        typer.Option("--compare", metavar="DAY|JSON", help="What is new since, or since a report."),
    ] = None,
    slides: Annotated[Path | None, typer.Option("--slides", help="Slides too: a .pptx.")] = None,
    latex: Annotated[Path | None, typer.Option("--latex", help="A folder for LaTeX too.")] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="A folder for the numbers too.")] = None,
    template: Annotated[
        Path | None, typer.Option("--template", help="A folder of your own words, style and logo.")
    ] = None,
    date: Annotated[
        str | None, typer.Option("--date", metavar="DAY", help="The report's; default today.")
    ] = None,
    json: Json = False,
) -> None:
    """What was trained and what came of it: one page; slides, LaTeX and numbers as well."""
    if slides is not None and slides.suffix != ".pptx":
        raise UserError(f"--slides {slides}: expected a name that ends in .pptx")
    from convscope.progress.bar import naming_bar
    from convscope.report.document.catalogue import catalogue
    from convscope.report.making import Wanted, make_report, told_of

    say = catalogue(template)
    today = _day(date)
    with computing(), naming_bar() as tell:
        tell("reading runs", 0, 2)
        found, planned = _found(runs or [], sweep)
        told = told_of(_kept(found, since), planned, today, _before(found, compare))
        tell("writing", 1, 2)
        made = make_report(told, say, Wanted(out, slides, latex, csv), title)
        tell("written", 2, 2)
    if json:
        print_json([str(path) for path in made])
    else:
        print_line(str(out))


def _found(runs: list[Path], sweep: Path | None) -> "tuple[list[Run], list[Planned]]":
    from convscope.run import CONFIG, Run
    from convscope.scores.rows import find_runs

    if not runs and sweep is None:
        raise UserError("report: expected run folders, folders of them, or --sweep DIR")
    found = find_runs(runs)
    if sweep is None:
        return found, []
    planned, names = _planned(sweep)
    out = sweep.absolute().parents[1]
    known = {run.folder.resolve() for run in found}
    own = [Run(out / name) for name in names if (out / name / CONFIG).is_file()]
    return [*found, *(run for run in own if run.folder.resolve() not in known)], planned


def _planned(sweep: Path) -> "tuple[list[Planned], list[str]]":
    """The cells of a sweep that are not done, and the names of all."""
    from convscope.report.document.groups import Planned
    from convscope.sweeps.driving.folder import SweepFolder
    from convscope.sweeps.driving.overview import cells_of

    folder = SweepFolder(sweep.absolute().parents[1], sweep.name)
    if not folder.exists or folder.path != sweep.absolute():
        raise UserError(f"--sweep {sweep} is no sweep: expected a folder such as runs/sweeps/NAME")
    cells = cells_of(folder)
    left = [
        Planned(each.cell.name, each.cell.config, each.state, each.reason)
        for each in cells
        if each.state != "done"
    ]
    return left, [each.cell.name for each in cells]


def _kept(runs: "list[Run]", since: str | None) -> "list[Run]":
    """The runs that were not finished before a day."""
    if since is None:
        return runs
    from convscope.report.document.groups import finished_at
    from convscope.report.document.news import seconds_of

    start = seconds_of(since)
    kept = [run for run in runs if (finished_at(run) or start) >= start]
    if not kept:
        raise UserError(
            f"--since {since}: all {len(runs)} runs were finished before: go back further"
        )
    return kept


def _before(runs: "list[Run]", compare: str | None) -> "State | None":
    if compare is None:
        return None
    from convscope.report.document.news import read_state, state_before

    is_day = not Path(compare).exists() and not compare.endswith(".json")
    return state_before(runs, compare) if is_day else read_state(Path(compare))


def _day(date: str | None) -> str:
    """The day of the report, as it was given or today's."""
    from datetime import datetime

    from convscope.report.document.news import seconds_of

    if date is not None:
        seconds_of(date)
    return date or datetime.now().strftime("%Y-%m-%d")
