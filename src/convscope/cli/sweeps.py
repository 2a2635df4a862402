"""convscope sweeps ls, show, retry, cancel: the sweeps that there are."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from convscope.cli.commands import Group
from convscope.cli.show import Json, print_json, print_line, print_table

if TYPE_CHECKING:
    from convscope.sweeps.driving.folder import SweepFolder

Name = Annotated[str, typer.Argument(help="A sweep's name, or how it begins.", metavar="SWEEP")]
Cells = Annotated[
    list[str] | None, typer.Argument(help="Its cells, by the names of their runs.", metavar="RUN")
]
Out = Annotated[Path, typer.Option("--out", help="The folder that holds the run folders.")]

sweeps = typer.Typer(
    cls=Group, no_args_is_help=True, help="The sweeps that there are: ls, show, retry, cancel."
)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(sweeps, name="sweeps")


@sweeps.command()
def ls(out: Out = Path("runs"), json: Json = False) -> None:
    """All sweeps: how many of their cells are done, and who drives them."""
    from convscope.sweeps.driving.overview import overview, overview_table

    rows = overview(out)
    if json:
        print_json([row.to_dict() for row in rows])
    else:
        print_table(overview_table(rows))


@sweeps.command()
def show(name: Name, out: Out = Path("runs"), json: Json = False) -> None:
    """The cells of a sweep, and how each stands."""
    from convscope.sweeps.driving.folder import find_sweep
    from convscope.sweeps.driving.overview import cells_of
    from convscope.sweeps.driving.table import plan_table
    from convscope.sweeps.planning.plan import as_json

    sweep = find_sweep(out, name)
    cells = cells_of(sweep)
    if json:
        for cell in cells:
            print_json(as_json(cell))
    else:
        print_table(plan_table(cells))
        _print_driver(sweep)


def _print_driver(sweep: "SweepFolder") -> None:
    driver = sweep.driver
    if not sweep.is_driven:
        print("nobody drives it: its convscope sweep, given again, goes on")
    else:
        print_line(f"driven by {sweep.driver_in_words}")
        print_line(driver.get("standing", ""))


@sweeps.command()
def retry(name: Name, cells: Cells = None, out: Out = Path("runs"), json: Json = False) -> None:
    """Try failed or cancelled cells again, all of them or those named, when the sweep goes on."""
    from convscope.sweeps.driving.folder import find_sweep
    from convscope.sweeps.driving.overview import retry as try_again

    _print_names(try_again(find_sweep(out, name), cells or []), "to be tried again", json)


@sweeps.command()
def cancel(name: Name, cells: Cells = None, out: Out = Path("runs"), json: Json = False) -> None:
    """Stop a sweep, or leave out the cells named; what is trained keeps its last epoch."""
    from convscope.sweeps.driving.folder import find_sweep
    from convscope.sweeps.driving.overview import cancel as leave_out

    sweep = find_sweep(out, name)
    if cells:
        _print_names(leave_out(sweep, cells), "cancelled", json)
    elif sweep.is_driven:
        sweep.stop()
        _print_stop(sweep, json)
    else:
        raise typer.BadParameter(f"nobody drives {sweep.name}: name the cells to leave out")


def _print_names(names: list[str], what: str, json: bool) -> None:
    if json:
        print_json(names)
    else:
        print("\n".join([f"{len(names)} {what}", *names]))


def _print_stop(sweep: "SweepFolder", json: bool) -> None:
    driver: dict[str, Any] = sweep.driver
    if json:
        print_json(driver)
    else:
        print(f"process {driver.get('pid')} on {driver.get('host')} is asked to stop")
