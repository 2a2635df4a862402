"""Train families of small CNNs on sound and images, see where they err and what they learned.

import convscope as cs

run = cs.train("recipes/mnist.yaml", "data.folder=mnist", "train.epochs=6")
run.scores["accuracy"], run.confusion
cs.board(cs.open_runs("runs"))

The names below are loaded when they are first used, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from convscope.version import __version__

if TYPE_CHECKING:
    from convscope.api.layers import LayerTable, describe
    from convscope.api.look import look
    from convscope.api.looks import Looks
    from convscope.api.opened import OpenRun, open_run
    from convscope.api.recipes import recipe, spec
    from convscope.api.runs import Board, Runs, board, open_runs
    from convscope.api.study import OpenStudy, open_study
    from convscope.api.training import sweep, train
    from convscope.errors import RunFailed, UserError

_WHERE = {
    "Board": "api.runs",
    "LayerTable": "api.layers",
    "Looks": "api.looks",
    "OpenRun": "api.opened",
    "OpenStudy": "api.study",
    "RunFailed": "errors",
    "Runs": "api.runs",
    "UserError": "errors",
    "board": "api.runs",
    "describe": "api.layers",
    "look": "api.look",
    "open_run": "api.opened",
    "open_runs": "api.runs",
    "open_study": "api.study",
    "recipe": "api.recipes",
    "spec": "api.recipes",
    "sweep": "api.training",
    "train": "api.training",
}

__all__ = [
    "Board",
    "LayerTable",
    "Looks",
    "OpenRun",
    "OpenStudy",
    "RunFailed",
    "Runs",
    "UserError",
    "__version__",
    "board",
    "describe",
    "look",
    "open_run",
    "open_runs",
    "open_study",
    "recipe",
    "spec",
    "sweep",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return __all__
