"""The two ways in which a command ends badly, how it exits then, and others' errors in words."""

from collections.abc import Iterable


class UserError(Exception):
    """A mistake that the user can mend: exit code 2, one line, no traceback.

    The message says what was expected, what came, and what to do.
    """


class RunFailed(Exception):
    """A training that began and could not end well: exit code 1, its reason kept in the run."""


class NoRoom(RunFailed):
    """A training that the memory here is too small for: with more room it would go on."""


def in_one_line(error: BaseException) -> str:
    """What somebody else's code raised, with its kind: `ValueError: no such thing`."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def first_few(names: Iterable[str], n: int = 3) -> str:
    """Names for a message: the first, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - n} more" if len(names) > n else ""
    return ", ".join(names[:n]) + more
