"""A look inside a run, or inside any module, from Python."""

from pathlib import Path
from typing import Any

from convscope.api.looks import Looks
from convscope.api.opened import OpenRun


def look(run: OpenRun | Path | str, *what: str, progress: bool = True, **options: Any) -> Looks:
    """What a run's net has learned; the same as `OpenRun.look`.

    Args:
        run: opened, or its folder.
        what: parts such as `filters` or `cam`; none: the default ones.
        progress: whether a bar says how far it is.
        options: see `OpenRun.look`.

    Raises:
        UserError: as `OpenRun.look` does.

    Examples:
        >>> import convscope as cs
        >>> looks = cs.look(cs.open_runs("runs")[0], "cam", n=2, n_clips=16, progress=False)
        >>> looks["cam"].array.shape[-1]
        16000
    """
    opened = run if isinstance(run, OpenRun) else OpenRun(run)
    return opened.look(*what, progress=progress, **options)
