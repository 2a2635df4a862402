"""convscope look: what a net has learned."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from convscope.cli.board import refuse_idle
from convscope.cli.commands import computing
from convscope.cli.look_runs import are_several, look_over
from convscope.cli.show import Json, TrustCode, log_to_stderr, print_json, print_line
from convscope.cli.user_module import input_shape, is_run

if TYPE_CHECKING:
    from convscope.inside.results.index import Look
    from convscope.inside.subject.subject import Subject


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(look)


def look(
    nets: Annotated[
        list[str],
        typer.Argument(
            help="A run's folder, or FILE.py:make_net; for --what dead also several runs, or "
            "folders of them.",
            metavar="RUN|MODULE",
        ),
    ],
    what: Annotated[
        list[str] | None,
        typer.Option("--what", help="Parts, such as filters,cam; without it, the default ones."),
    ] = None,
    layer: Annotated[str | None, typer.Option("--layer", help="Only this one: conv3.")] = None,
    unit: Annotated[
        str | None, typer.Option("--unit", help="Only this one: conv3:17, logits:zero, or 17.")
    ] = None,
    clips: Annotated[
        Path | None, typer.Option("--clips", help="A folder of clips; else the run's test clips.")
    ] = None,
    n_clips: Annotated[
        int, typer.Option("--n-clips", min=1, help="Clips to show the net at most.")
    ] = 512,
    n: Annotated[int, typer.Option("--n", min=1, help="Units or clips in a picture.")] = 8,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
    other: Annotated[
        Path | None, typer.Option("--with", help="Another run, to compare with.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Where to; else look/ in the run's folder, or here."),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option("--weights", help="Of a module: safetensors.")
    ] = None,
    input: Annotated[
        str | None, typer.Option("--input", help="Of a module: its input's shape, 3x227x227.")
    ] = None,
    rate_hz: Annotated[
        int | None, typer.Option("--rate-hz", min=1, help="Of a module of sound: samples a second.")
    ] = None,
    preprocess: Annotated[
        str | None, typer.Option("--preprocess", help="Of a module: FILE.py:fn, path to input.")
    ] = None,
    output: Annotated[
        str | None, typer.Option("--output", help="Of a module with several answers: 0, or a name.")
    ] = None,
    classes: Annotated[
        Path | None, typer.Option("--classes", help="Of a module: names, one on each line.")
    ] = None,
    trust_code: TrustCode = False,
    json: Json = False,
) -> None:
    """What a net has learned: filters, maps, preferred sounds and images, where it looks."""
    from convscope.inside.subject.module_subject import OwnModule, subject_of_module
    from convscope.inside.subject.subject import Choice
    from convscope.looking import chosen_parts
    from convscope.looking import look as look_inside
    from convscope.progress.bar import naming_bar
    from convscope.run import within

    log_to_stderr()
    parts = [name for each in what or [] for name in each.split(",") if name]
    chosen_parts(parts)  # a part that there is not is told before clips are decoded
    of_files = {"--weights": weights, "--preprocess": preprocess, "--classes": classes}
    of_module = {"--input": input, "--rate-hz": rate_hz, "--output": output, **of_files}
    if are_several(nets):
        of_one = {"--layer": layer, "--unit": unit, "--with": other}
        refuse_idle({**of_one, **of_module}, "several runs")
        out = out or Path("look")
        with computing():
            looks = [look_over(nets, parts, clips, n_clips, out, trust_code)]
    else:
        choice = Choice(layer, _unit(unit, layer), n, seed, other, trust_code)
        with computing():
            net = nets[0]
            if is_run(net):
                refuse_idle(of_module, "a run")
                subject = _of_run(Path(net), clips, n_clips, trust_code)
            else:
                own = OwnModule(
                    net, input_shape(input), weights, rate_hz, preprocess, classes, clips, output
                )
                subject = subject_of_module(own, n_clips)
            out = out or (within(Path(net), "look") if is_run(net) else Path("look"))
            with naming_bar() as tell:
                looks = look_inside(subject, parts, choice, out, tell)
    if json:
        print_json({"out": str(out), "parts": [each.to_dict() for each in looks]})
    else:
        _print(looks, out)
    if any(each.failed is not None for each in looks):
        raise typer.Exit(1)


def _of_run(folder: Path, clips: Path | None, n_clips: int, trust_code: bool) -> "Subject":
    from convscope.inside.subject.run_subject import subject_of_run
    from convscope.progress.bar import progress_bar
    from convscope.run import Run

    with progress_bar("decoding") as bar:
        return subject_of_run(Run.existing(folder), clips, n_clips, bar, trust_code)


def _unit(unit: str | None, layer: str | None) -> str | None:
    """A unit's full name; its number alone is one of --layer's."""
    if unit is None or ":" in unit:
        return unit
    if layer is None:
        raise typer.BadParameter(f"--unit {unit}: give --layer too, or a name such as conv3:{unit}")
    return f"{layer}:{unit}"


def _print(looks: "list[Look]", out: Path) -> None:
    for each in looks:
        print_line(f"{each.part:<13}{_became(each)}")
    print(out)


def _became(look: "Look") -> str:
    if look.failed is not None:
        return f"failed: {look.failed}"
    return f"{len(look.files)} files" if look.skipped is None else f"skipped: {look.skipped}"
