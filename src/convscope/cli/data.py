"""convscope data make-words, get, check, manifest."""

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from convscope.cli.commands import Group, resumable
from convscope.cli.show import Assignments, Json, print_json, print_line, print_table, warn

Folder = Annotated[
    Path, typer.Argument(help="The folder of the data.", metavar="DIR", readable=False)
]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    group = typer.Typer(cls=Group, help="Make, get and check data.")
    group.command("make-words")(make_words)
    group.command("get")(get)
    group.command("check")(check)
    group.command("manifest")(manifest)
    app.add_typer(group, name="data")


def make_words(
    folder: Folder,
    clips: Annotated[int, typer.Option("--clips", help="Number of clips in all.")] = 1600,
    seed: Annotated[int, typer.Option("--seed", help="Another seed, other speakers.")] = 0,
    workers: Annotated[int | None, typer.Option("--workers", help="Default: all cores.")] = None,
) -> None:
    """Synthesise the reports' 16 words with espeak-ng, in the real set's layout and split."""
    from convscope.data.making.synthetic_words import make_words as synthesise
    from convscope.progress.bar import progress_bar

    with resumable(), progress_bar("synthesising") as tell:
        made = synthesise(folder, clips, seed, workers=workers, progress=tell)
    print(made)


class Source(StrEnum):
    """Data sets that can be downloaded."""

    SPEECH_COMMANDS = "speech-commands"


def get(
    source: Annotated[Source, typer.Argument(help="What to download.")],
    folder: Folder,
) -> None:
    """Download a data set, verify and unpack it; the same command again resumes."""
    from convscope.data.fetching.speech_commands import get_speech_commands
    from convscope.progress.bar import progress_bar

    with resumable(), progress_bar(source.value) as tell:
        unpacked = get_speech_commands(folder, tell)
    print(unpacked)


def check(folder: Folder, assignments: Assignments = None, json: Json = False) -> None:
    """What is in a folder, per class and split, and every file that is broken, by name.

    Sounds are measured as training hears them: mono, at data.rate_hz (16000), cut to data.seconds
    where that is given.
    """
    from convscope.data.checking.check import check_folder
    from convscope.data.checking.table import count_table, fold_table, group_line, problem_lines
    from convscope.progress.bar import progress_bar
    from convscope.recipes import data_settings

    settings = data_settings(assignments or [])
    with progress_bar("reading") as tell:
        report = check_folder(folder, progress=tell, settings=settings)
    if json:
        print_json(asdict(report))
        return
    print_line(f"{report.folder}: {report.n_files:,} files, taken for data.kind={report.layout}")
    print_table(count_table(report))
    if report.folds:
        print_table(fold_table(report))
    if report.groups:
        print_line(group_line(report))
    for line in problem_lines(report):
        print_line(line)


def manifest(
    folder: Folder,
    out: Annotated[Path, typer.Option("--out", help="The CSV: in the folder, or above it.")],
    pattern: Annotated[
        str | None,
        typer.Option("--pattern", help="As data.pattern, such as {label}_{speaker}_{take}."),
    ] = None,
    assignments: Assignments = None,
) -> None:
    """Write down the clips of a folder: path, label, split and what else their paths say.

    The CSV can be edited and is then data of its own: data.kind=manifest data.folder=FILE.csv.
    """
    from convscope.data.listing.files import require_folder
    from convscope.data.listing.find import find_clips, layout_of
    from convscope.data.listing.write_manifest import write_manifest
    from convscope.data.splitting.split import chosen_clips
    from convscope.recipes import data_settings

    settings = data_settings(assignments or [])
    settings |= {"pattern": pattern} if pattern else {}
    config, listing = find_clips(require_folder(str(folder)), settings)
    names = config.names or {file.label for file in listing.files}
    write_manifest(out, chosen_clips(listing, names, config))
    for id in listing.unmatched:
        warn(f"{id} does not match data.pattern and is left out")
    if layout_of(config) == "images":
        warn("data.kind=manifest reads sounds alone: images are trained with data.pattern")
    print(out)
