"""convscope errors, score, predict, export: what reads finished runs."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from convscope.cli.commands import computing
from convscope.cli.show import (
    Assignments,
    Json,
    TrustCode,
    log_to_stderr,
    print_json,
    print_table,
    warn,
)

if TYPE_CHECKING:
    from convscope.run import Run

RunFolder = Annotated[Path, typer.Argument(help="A run's folder.", metavar="RUN", readable=False)]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(errors)
    app.command()(score)
    app.command()(predict)
    app.command()(export)


def errors(
    run: RunFolder,
    actual: Annotated[
        str | None, typer.Option("--actual", help="Only clips of this class.")
    ] = None,
    predicted: Annotated[
        str | None, typer.Option("--predicted", help="Only clips taken for this class.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Make a page here to hear or see them.")
    ] = None,
    json: Json = False,
) -> None:
    """The wrongly labelled test clips, most confident first."""
    from convscope.run import Run
    from convscope.scores.errors import errors_table, wrong_clips_of

    found = Run.existing(run)
    clips = wrong_clips_of(found, actual, predicted)
    page = None
    if out is not None:
        from convscope.report.errors_page import errors_page

        page = errors_page(found, clips, out)
    if json:
        print_json([{**clip.to_dict(), "file": _file(found, clip.id)} for clip in clips])
    elif clips:
        print_table(errors_table(clips))
    else:
        print("no test clip is labelled wrongly in that way")
    if page is not None:
        typer.echo(page, err=json)


def _file(run: "Run", id: str) -> str | None:
    """The file of a clip; None for a row of MNIST's arrays."""
    from convscope.data.listing.files import clip_path

    data = run.config["data"]
    return None if data["kind"] == "mnist" else str(clip_path(data["folder"], id))


class Part(StrEnum):
    """Which clips are scored."""

    TEST = "test"
    ALL = "all"


def score(
    run: RunFolder,
    assignments: Assignments = None,
    split: Annotated[Part, typer.Option("--split", help="Which clips.")] = Part.TEST,
    trust_code: TrustCode = False,
    json: Json = False,
) -> None:
    """Score a run on other data: data.folder=DIR, and other data.* keys."""
    from convscope.api.training import load
    from convscope.run import Run
    from convscope.score import other_data, score_on
    from convscope.scores.table import class_table
    from convscope.training.checkpoint import load_trained

    log_to_stderr()
    with computing():
        trained = load_trained(Run.existing(run), trust_code=trust_code)
        data = load(other_data(trained, assignments or []), for_training=False)
        result = score_on(trained, data, split.value)
    if json:
        print_json({"run": str(run), "split": split.value, **result.to_dict()})
        return
    print_table(class_table(result))
    print(
        f"accuracy {result.accuracy:.4f} (95 % interval {result.interval.low:.4f} to "
        f"{result.interval.high:.4f}) on {result.n} clips"
    )


def predict(
    run: RunFolder,
    files: Annotated[
        list[Path], typer.Argument(help="Sounds or images.", metavar="FILE", readable=False)
    ],
    trust_code: TrustCode = False,
    json: Json = False,
) -> None:
    """Labels with probabilities; window by window for a longer recording."""
    from convscope.predict import predict_files, prediction_table
    from convscope.run import Run
    from convscope.training.checkpoint import load_trained

    with computing():
        trained = load_trained(Run.existing(run), trust_code=trust_code)
        answers = predict_files(trained, files)
    if json:
        print_json([prediction.to_dict() for prediction in answers.predictions])
    elif answers.predictions:
        print_table(prediction_table(answers.predictions))
    for line in (*answers.notes, *answers.mistakes):
        warn(line)
    if answers.mistakes:
        raise typer.Exit(2)


class Format(StrEnum):
    """What a net can be exported to."""

    ONNX = "onnx"


def export(
    run: RunFolder,
    to: Annotated[Format, typer.Option("--to", help="The format.")] = Format.ONNX,
    out: Annotated[Path | None, typer.Option("--out", help="Default: in the run folder.")] = None,
    trust_code: TrustCode = False,
) -> None:
    """The net as one file for other programs."""
    from convscope.export import export_onnx
    from convscope.run import Run

    found = Run.existing(run)
    with computing():
        path = export_onnx(found, out or found.path(f"model.{to.value}"), trust_code)
    print(path)
