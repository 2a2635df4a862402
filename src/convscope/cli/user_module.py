"""What the commands say of a net of the user's own."""

from pathlib import Path

import typer


def is_run(net: str) -> bool:
    """Whether a word names a run's folder, and no FILE.py:make_net."""
    return Path(net).is_dir() or ":" not in net


def input_shape(text: str | None) -> tuple[int, ...]:
    """The shape that `--input` says, such as 3x227x227."""
    parts = (text or "").lower().split("x")
    if len(parts) not in (1, 2, 3) or not all(part.isdecimal() and int(part) for part in parts):
        raise typer.BadParameter(
            "--input: a module needs its input's shape, such as 3x227x227, 1x16000 or 16000"
            + (f", got {text}" if text else "")
        )
    return tuple(int(part) for part in parts)
