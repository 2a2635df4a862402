"""A look inside a net: the parts that are asked for, one after the other, each to its own files."""

import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from torch import nn

from convscope.errors import UserError, in_one_line
from convscope.inside.looks import PARTS
from convscope.inside.results.index import Look, made, not_made
from convscope.inside.results.parts import NotApplicable
from convscope.inside.results.progress import Tell, silent, step_of
from convscope.inside.results.writer import ResultWriter
from convscope.inside.subject.subject import Choice, Subject, chosen_unit
from convscope.inside.tracing.layers import layer_named
from convscope.inside.units.across_runs import dead_over_runs, put_dead_over_runs
from convscope.run import Run
from convscope.settings import suggest


def chosen_parts(what: Sequence[str]) -> tuple[str, ...]:
    """The parts to make: those that are asked for, else the default ones.

    Raises:
        UserError: for a part that there is not.
    """
    for name in what:
        if name not in PARTS:
            raise UserError(f"--what {name} is no part{suggest(name, list(PARTS))}")
    return tuple(what) or tuple(name for name, part in PARTS.items() if part.is_default)


def check_choice(subject: Subject, choice: Choice) -> None:
    """Refuse a layer or unit that the net does not have, and a unit of another layer.

    A class may stand beside a layer: CAM shows where it is found by that layer.

    Raises:
        UserError: naming those that there are.
    """
    if choice.layer is not None:
        layer_named(subject.layers, choice.layer)
    unit = chosen_unit(subject, choice)
    if unit is None or unit.layer == "logits":
        return
    if choice.layer not in (None, unit.layer):
        raise UserError(
            f"--unit {choice.unit} is no unit of --layer {choice.layer}: give one of the two"
        )


def check_weights(subject: Subject) -> None:
    """Refuse a net with a weight that is no number, as after a training that diverged.

    Raises:
        UserError: naming the first.
    """
    for name, weights in subject.net.named_parameters():
        if not weights.isfinite().all():
            raise UserError(
                f"{subject.name}: expected finite weights, {name} holds NaN or infinity: look at a "
                "net whose training did not diverge"
            )


def look(
    subject: Subject,
    what: Sequence[str],
    choice: Choice,
    out: Path,
    tell: Callable[[str, float, float], None],
) -> list[Look]:
    """Make the parts, one after the other, and an index of what was made.

    Args:
        subject: what is looked at.
        what: names of parts; none: the default ones. A default part that makes no sense for this
            net is skipped; one that is asked for by name is refused.
        choice: of layers, units and numbers.
        out: the folder of the results.
        tell: called with the part that is being made, how many are done, and of how many.

    The files of a part come to `out` together when it is made. One that fails spoils only itself:
    the index and its record say why, the others are made; where all fail, or one that is asked for
    by name cannot be made, the error is raised. A call that is interrupted keeps the parts before,
    and leaves nothing of the part it was at but what is trained for it.

    Raises:
        UserError: for a part, layer or unit that there is not, a part that makes no sense here, a
            weight that is not finite, or a user's own module that fails.
    """
    parts = chosen_parts(what)
    check_choice(subject, choice)
    check_weights(subject)
    _ = subject.layers  # a net without any is refused before a part is begun
    looks: list[Look] = []
    failures: list[Exception] = []
    with _noted(looks, out):
        for i, part in enumerate(parts):
            told = step_of(partial(tell, part), i, len(parts))
            told(0, 1)
            make = partial(_make, part, subject, choice, bool(what))
            try:
                with _explained(subject):
                    looks.append(made(part, subject.name, out, make, told))
            except Exception as error:
                if len(parts) == 1 or (what and isinstance(error, UserError)):
                    raise
                failures.append(error)
                looks.append(not_made(part, subject.name, out, error))
        if len(failures) == len(parts):
            raise failures[0]
    tell("done", len(parts), len(parts))
    return looks


def look_over_runs(
    runs: Sequence[Run],
    subject_of: Callable[[Run], Subject],
    out: Path,
    tell: Tell = silent,
) -> Look:
    """The part `dead` of several runs: a table and a picture of their layers.

    Args:
        runs: finished ones.
        subject_of: a run's net and clips.
        out: the folder of the results.
        tell: called with the number of runs done, and of all.

    Raises:
        UserError: as `subject_of` does.
    """

    def make(writer: ResultWriter) -> None:
        put_dead_over_runs(dead_over_runs(runs, subject_of, progress=writer.tell), writer)

    return made("dead", ", ".join(run.name for run in runs), out, make, tell)


def _make(
    name: str, subject: Subject, choice: Choice, is_asked: bool, writer: ResultWriter
) -> str | None:
    """Make a part; or say why it makes no sense."""
    try:
        PARTS[name].make(subject, choice, writer)
    except NotApplicable as error:
        if is_asked:
            raise UserError(f"--what {name}: {error}") from None
        return str(error)
    return None


@contextmanager
def _noted(looks: Sequence[Look], out: Path) -> Iterator[None]:
    """Within, an interruption says which parts are there."""
    try:
        yield
    except KeyboardInterrupt as error:
        parts = ", ".join(each.part for each in looks if each.skipped is None)
        error.add_note(f"{out} keeps {parts}" if parts else "no part was made yet")
        raise


@contextmanager
def _explained(subject: Subject) -> Iterator[None]:
    """Within, a user's own module that fails in its forward pass is the user's mistake."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if not subject.is_own or not _is_of(subject.net, error):
            raise
        raise UserError(
            f"{subject.name}: its forward pass failed with {in_one_line(error)}"
        ) from error


def _is_of(net: nn.Module, error: Exception) -> bool:
    """Whether an error was raised within a call of the net."""
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_locals.get("self") is net for frame, _ in frames)
