"""The one place that runs a file of a user's own.

It runs with all rights of the person who called the program. So whoever comes here has the file's
name from that person, or has asked `training.trust` whether it may run.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

from convscope.errors import UserError, in_one_line


def run_file(path: Path, source: bytes, name: str, said: str, beside: bool = False) -> ModuleType:
    """The module that a file is, run from bytes that were read.

    Args:
        path: of the file.
        source: its bytes: what runs is what was read, even where the file is another by now.
        name: of the module.
        said: how the user named the file; a message begins with it.
        beside: whether the modules that lie beside the file can be imported.

    Raises:
        UserError: whatever the file raises.
    """
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # where dataclasses and typing look a class's module up
    with (
        blamed(said, "the file failed as it was imported"),
        _importable(path.resolve().parent) if beside else nullcontext(),
    ):
        exec(compile(source, str(path), "exec"), module.__dict__)
    return module


def function_of(module: ModuleType, name: str, said: str, define: str) -> Callable[..., Any]:
    """A function of a user's file.

    Raises:
        UserError: where there is none, to `define` one.
    """
    function = getattr(module, name, None)
    if not callable(function):
        file = Path(str(module.__file__)).name
        raise UserError(f"{said}: {file} has no function {name}: define {define}")
    made: Callable[..., Any] = function
    return made


@contextmanager
def blamed(said: str, what: str) -> Iterator[None]:
    """Whatever the user's code raises, told in one line; what it prints is no result of ours."""
    try:
        with redirect_stdout(sys.stderr):
            yield
    except (Exception, SystemExit) as error:
        raise UserError(f"{said}: {what} with {in_one_line(error)}") from None


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Within, the modules of a folder can be imported, as where Python itself runs a file there."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
