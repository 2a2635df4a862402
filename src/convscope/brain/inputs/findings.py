"""What is said of a study."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """Something to know of a study.

    Attributes:
        level: warning: results would mislead; note: good to know.
        what: it is.
        remedy: what to do; empty where there is nothing to do.
    """

    level: Literal["warning", "note"]
    what: str
    remedy: str = ""


@dataclass(frozen=True)
class Fact:
    """A line of the table of what fits what."""

    name: str
    value: str
