"""convscope brain: nets held against responses of brains."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from convscope.cli.board import refuse_idle
from convscope.cli.commands import Group, computing, resumable
from convscope.cli.show import Json, TrustCode, print_json, print_line, print_table, warn
from convscope.cli.user_module import input_shape, is_run
from convscope.errors import UserError

if TYPE_CHECKING:
    from convscope.brain.inputs.study import Study
    from convscope.inside.subject.module_subject import OwnModule
    from convscope.run import Run

brain = typer.Typer(cls=Group, no_args_is_help=True, help="Nets held against fMRI responses.")

NO_PLACE = "--out DIR is missing: there is no run whose folder could keep the results"

StudyFile = Annotated[Path, typer.Argument(help="A study file.", metavar="STUDY", readable=False)]
NetName = Annotated[
    str | None, typer.Argument(help="A run's folder, or FILE.py:make_net.", metavar="[RUN|MODEL]")
]
Out = Annotated[Path | None, typer.Option("--out", help="Where results go; default in the run.")]
Weights = Annotated[
    Path | None, typer.Option("--weights", help="Of a module of your own: a safetensors file.")
]
Input = Annotated[
    str | None, typer.Option("--input", help="Of a module of your own: such as 1x16000.")
]
Rate = Annotated[
    int | None,
    typer.Option("--rate-hz", min=1, help="Of a module of sound: samples a second."),
]


def add_to(app: typer.Typer) -> None:
    """Register the group."""
    app.add_typer(brain, name="brain")


@brain.command()
def check(study: StudyFile, out: Out = None, json: Json = False) -> None:
    """What fits what in a study, and what would mislead: before anything is computed."""
    from convscope.progress.bar import progress_bar
    from convscope.studies import examine

    with computing(), progress_bar("stimuli") as bar:
        found, facts, findings = examine(study, out, bar)
    if json:
        plain = [{"level": e.level, "what": e.what, "remedy": e.remedy} for e in findings]
        told = {each.name: each.value for each in facts}
        print_json({"study": found.name, "facts": told, "findings": plain})
        return
    for fact in facts:
        print_line(f"{fact.name:<12}{fact.value}")
    for each in findings:
        print()
        print_line(f"{each.level}: {each.what}" + (f": {each.remedy}" if each.remedy else ""))
    if out is not None:
        print(out)


@brain.command()
def glm(
    study: StudyFile,
    contrast: Annotated[
        list[str] | None,
        typer.Option("--contrast", help="A column, or such as 'speech - music'; repeatable."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Where the maps go.")] = Path("glm"),
    json: Json = False,
) -> None:
    """The general linear model of each voxel: maps, thresholds, clusters."""
    from convscope.brain.analyses.glm_files import contrast_row
    from convscope.brain.inputs.study import load_study
    from convscope.studies import glm as fit

    with computing():
        loaded = load_study(study)
        results = fit(loaded, contrast or [], out)
    rows = [contrast_row(each) for each in results]
    if json:
        print_json(rows)
        return
    _print_rows(rows)
    print(out)


@brain.command()
def encode(
    study: StudyFile,
    net: NetName = None,
    out: Out = None,
    weights: Weights = None,
    input: Input = None,
    rate_hz: Rate = None,
    trust_code: TrustCode = False,
    json: Json = False,
) -> None:
    """Predict held-out responses from each layer and from all controls; the same again goes on."""
    from convscope.studies import encode as hold

    with resumable(), computing(), _telling() as tell:
        named = _net(net, weights, input, rate_hz, out)
        loaded = _loaded(study)
        held = hold(loaded, named, out, tell, trust_code)
    if json:
        print_json(held.to_dict())
        return
    for sentence in held.sentences:
        print_line(sentence)
    for warning in held.scores.warnings:
        warn(warning)
    print(held.folder / "index.html")


@brain.command()
def rsa(
    study: StudyFile,
    net: NetName = None,
    out: Out = None,
    weights: Weights = None,
    input: Input = None,
    rate_hz: Rate = None,
    trust_code: TrustCode = False,
    json: Json = False,
) -> None:
    """Compare dissimilarities of stimuli in the net's layers, in controls, and in the brain."""
    from convscope.brain.results.sentences import rsa_words
    from convscope.brain.results.tables import rsa_rows
    from convscope.studies import similarity

    with resumable(), computing(), _telling() as tell:
        named = _net(net, weights, input, rate_hz, out)
        loaded = _loaded(study)
        folder, found = similarity(loaded, named, out, tell, trust_code)
    rows = rsa_rows(found)
    if json:
        print_json({"how": rsa_words(found), "rows": rows})
        return
    _print_rows(rows)
    print_line(rsa_words(found))
    print(folder)


@brain.command()
def sweep(
    study: StudyFile,
    runs: Annotated[
        list[Path], typer.Argument(help="Run folders, or folders of them.", readable=False)
    ],
    out: Annotated[Path, typer.Option("--out", help="Where the page of all goes.")] = Path("brain"),
    trust_code: TrustCode = False,
    json: Json = False,
) -> None:
    """Every run on a study, side by side: accuracy, parameters and how well it predicts."""
    from convscope.scores.brain_view import brain_view
    from convscope.studies import sweep as hold_all

    with resumable(), computing(), _telling() as tell:
        loaded = _loaded(study)
        found = hold_all(loaded, _finished(runs), out, tell, trust_code)
    view = brain_view(found.means)
    if json:
        print_json({"rows": list(view.records), "sentences": list(found.sentences)})
        return
    from convscope.scores.board_text import terminal_table

    print_table(terminal_table(view.tables[0]))
    for sentence in found.sentences:
        print_line(sentence)
    print(found.page)


def _loaded(study: Path) -> "Study":
    from convscope.brain.inputs.study import load_study
    from convscope.progress.bar import progress_bar

    with progress_bar("stimuli") as bar:
        return load_study(study, bar)


@contextmanager
def _telling() -> Iterator[Callable[[str, float, float], None]]:
    from convscope.progress.bar import naming_bar

    with naming_bar() as tell:
        yield tell


def _net(
    net: str | None,
    weights: Path | None,
    shape: str | None,
    rate_hz: int | None,
    out: Path | None,
) -> "Path | OwnModule | None":
    """A run's folder, or a module of the user's own; None where none is named.

    Raises:
        UserError: where there is no such run, or no place for results.
    """
    of_module = {"--weights": weights, "--input": shape, "--rate-hz": rate_hz}
    if net is None or is_run(net):
        refuse_idle(of_module, "a run" if net else "no net")
        from convscope.run import Run

        if net is None and out is None:
            raise UserError(NO_PLACE)
        return None if net is None else Run.existing(net).folder
    if out is None:
        raise UserError(NO_PLACE)
    from convscope.inside.subject.module_subject import OwnModule

    return OwnModule(net, input_shape(shape), weights, rate_hz)


def _finished(folders: Sequence[Path]) -> "list[Run]":
    from convscope.scores.rows import find_runs

    runs = find_runs(folders)
    done = [run for run in runs if run.is_done]
    if not done:
        raise UserError(f"none of {len(runs)} runs is done: train one to its end, or name others")
    if len(done) < len(runs):
        warn(f"{len(runs) - len(done)} of {len(runs)} runs left out, as not done")
    return done


def _print_rows(rows: Sequence[dict[str, Any]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for key in rows[0] if rows else ():
        table.add_column(key.replace("_", " "))
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row.values()))
    print_table(table)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else str(value)
