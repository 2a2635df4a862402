"""A group of commands, and how a command ends: what a user can mend is told in one line."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from types import FrameType
from typing import Any

import typer
from typer.core import TyperGroup

from convscope.cli.show import warn
from convscope.errors import RunFailed, UserError
from convscope.settings import suggest


class Group(TyperGroup):
    """Names its commands where it is given another word."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            ctx.fail(f"{args[0]!r} is no command{suggest(args[0], self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)


class Commands(Group):
    """Turns the errors that a user can mend into one line and an exit code."""

    def main(self, *args: Any, **options: Any) -> Any:
        """As Typer's, but for mistakes in the command line itself, which it shows in a box."""
        try:
            code = super().main(*args, **{**options, "standalone_mode": False})
        except Exception as error:
            if not hasattr(error, "format_message"):  # Typer's own errors, wherever it keeps them
                raise
            warn(_usage_mistake(error))
            code = 2
        sys.exit(code)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except UserError as error:
            raise _ended(str(error), 2) from None
        except RunFailed as error:
            raise _ended(str(error), 1) from None
        except KeyboardInterrupt as error:
            notes = getattr(error, "__notes__", [])
            code = 128 + (signal.SIGTERM if isinstance(error, Terminated) else signal.SIGINT)
            raise _ended("; ".join(["interrupted", *notes]), code) from None


class Terminated(KeyboardInterrupt):
    """SIGTERM, by which job schedulers end a program: to be treated as Ctrl-C is."""


def heed_sigterm() -> None:
    """From here on SIGTERM raises `Terminated`."""

    def terminate(_number: int, _frame: FrameType | None) -> None:
        raise Terminated

    signal.signal(signal.SIGTERM, terminate)


def own_stderr() -> None:
    """From here on Python writes beside descriptor 2, where C libraries write and can be caught."""
    sys.stderr.flush()
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8", errors="backslashreplace")


@contextmanager
def resumable(has_kept: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """Around what can be interrupted: say whether the same command goes on from there.

    Args:
        has_kept: whether there is something to go on from.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        goes_on = "the same command goes on from here"
        error.add_note(goes_on if has_kept() else "no epoch is kept yet: nothing to go on from")
        raise


@contextmanager
def computing() -> Iterator[None]:
    """Around all but a command's results: what a user's own module prints is no result."""
    with redirect_stdout(sys.stderr):
        yield


def _usage_mistake(error: Any) -> str:
    message = " ".join(error.format_message().split()).rstrip(".")
    message = message.replace("Value error, ", "").replace("Input should be", "expected")
    command = error.ctx.command_path if getattr(error, "ctx", None) else "convscope"
    return f"{message[:1].lower()}{message[1:]}; see {command} --help"


def _ended(message: str, code: int) -> typer.Exit:
    warn(message)
    return typer.Exit(code)
