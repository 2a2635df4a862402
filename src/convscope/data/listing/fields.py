"""What is known of each file beside its path: labels under new names, groups, and who crosses."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from convscope.data.listing.files import ClipFile
from convscope.errors import UserError
from convscope.names import normalised
from convscope.settings import suggest
from convscope.types import SPLITS, Split


@dataclass(frozen=True)
class CrossingGroup:
    """A group that stands in several splits, with its number of clips in each.

    Attributes:
        name: such as of a speaker.
        counts: by split, where there are any.
    """

    name: str
    counts: Mapping[Split, int]

    def __str__(self) -> str:
        return f"{self.name}: " + ", ".join(f"{n} in {split}" for split, n in self.counts.items())


def renamed(files: Sequence[ClipFile], names: Mapping[str, str]) -> list[ClipFile]:
    """The files with new labels; two labels of one new name become one class.

    Args:
        files: of one data set.
        names: new ones by the old.

    Raises:
        UserError: there are no clips of an old one.
    """
    labels = sorted({file.label for file in files})
    for old in names:
        if files and old not in labels:
            raise UserError(f"data.rename: no clips of {old!r}{suggest(old, labels)}")
    return [replace(file, label=names.get(file.label, file.label)) for file in files]


def values_of(files: Sequence[ClipFile], key: str, field: str) -> list[str]:
    """What a field says of each file.

    Args:
        files: of one data set.
        key: of the recipe that names the field, such as `data.group`.
        field: a field of the pattern, or a column.

    Raises:
        UserError: there is no such field, or it is empty.
    """
    for file in files:
        if field not in file.fields:
            known = suggest(field, list(file.fields))
            raise UserError(f"{key}: {field} is no field or column of these data{known}")
        if not file.fields[field].strip():
            raise UserError(f"{key}: {file.id} has no {field}: expected one of every clip")
    return [normalised(file.fields[field].strip()) for file in files]


def groups_by_split(files: Sequence[ClipFile], groups: Sequence[str]) -> dict[Split, int]:
    """How many groups have clips in each split."""
    met = set(zip(groups, (file.split for file in files), strict=True))
    return {split: sum(its == split for _, its in met) for split in SPLITS}


def crossing_groups(files: Sequence[ClipFile], groups: Sequence[str]) -> tuple[CrossingGroup, ...]:
    """The groups with clips in more than one split, by name."""
    counts: defaultdict[str, Counter[Split]] = defaultdict(Counter)
    for file, group in zip(files, groups, strict=True):
        counts[group][file.split] += 1
    return tuple(
        CrossingGroup(name, {split: there[split] for split in SPLITS if there[split]})
        for name, there in sorted(counts.items())
        if len(there) > 1
    )
