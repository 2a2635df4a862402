"""The memory of tensors on a CPU: what one step lets go of, the next takes up again."""

import ctypes

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""Parameters of glibc's mallopt."""


def keep_freed_memory() -> None:
    """Have the C library keep large blocks that are freed, for as long as this process lives.

    glibc otherwise maps each large tensor anew and gives it back at once, and the first write to
    every page of it costs a page fault: 2.5 times the time of a whole step was measured, on one
    core. The process keeps the most that it ever held, until `give_back_freed_memory`. Where the C
    library is another one, nothing is done.
    """
    _call("mallopt", _MMAP_MAX, 0)
    _call("mallopt", _TRIM_THRESHOLD, -1)


def give_back_freed_memory() -> None:
    """Have the C library give back what it keeps and nobody uses, as between two trainings."""
    _call("malloc_trim", 0)


def _call(function: str, *args: int) -> None:
    """A function of glibc; nothing where the C library has none of that name."""
    try:
        getattr(ctypes.CDLL(None), function)(*args)
    except (AttributeError, OSError, TypeError):  # TypeError: Windows
        return
