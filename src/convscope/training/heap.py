"""The memory of tensors on a CPU: what one step lets go of, the next takes up again."""

import ctypes

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""Parameters of glibc's mallopt."""


def keep_freed_memory() -> None:
    """Have the C library keep large blocks that are freed, for as long as this process lives.

    glibc otherwise maps each large tensor anew and gives it back at once, and the first write to
    every page of it costs a page fault: 2.5 times the time of a whole step was measured, on one
    core. The process keeps the most that it ever held. Where the C library is another one, nothing
    is done.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library; TypeError: Windows
        return
    mallopt(_MMAP_MAX, 0)
    mallopt(_TRIM_THRESHOLD, -1)
