"""The parts of a look inside, by the names under which a user asks for them."""

from collections.abc import Callable
from dataclasses import dataclass

from convscope.errors import UserError
from convscope.inside.results.writer import ResultWriter
from convscope.inside.subject.subject import Choice, Subject


class NotApplicable(UserError):
    """A part that makes no sense for this net or input; the text says why."""


@dataclass(frozen=True)
class Part:
    """One part of a look inside.

    Attributes:
        summary: what it shows, in a line.
        make: computes it and writes its results; raises NotApplicable, in its first lines, where it
            makes no sense.
        is_default: whether it is made unless others are asked for.
    """

    summary: str
    make: Callable[[Subject, Choice, ResultWriter], None]
    is_default: bool = True
