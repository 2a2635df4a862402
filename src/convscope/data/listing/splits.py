"""Who is in which part: by a hash of a name, so that a split needs no list and never changes."""

import hashlib

from convscope.names import normalised
from convscope.types import Split

_HASH_RANGE = 2**27 - 1  # the constant of Speech Commands' own script


def hashed_percentage(name: str) -> float:
    """A number in [0, 100] that depends on `name` alone: SHA-1(name) mod 2^27, rescaled.

    However a disk spells its accents: a copy of the data on another machine is split alike.
    """
    text = normalised(name).encode("utf-8", "surrogateescape")  # a file's name may be no UTF-8
    digest = int(hashlib.sha1(text, usedforsecurity=False).hexdigest(), 16)
    return digest % (_HASH_RANGE + 1) * 100.0 / _HASH_RANGE


def official_split(file_name: str) -> Split:
    """The official split of Speech Commands: 10 % validation, 10 % test, by speaker.

    Args:
        file_name: the file's own name, such as `00176480_nohash_0.wav`; only what stands before
            `_nohash_` counts, so that no speaker crosses splits.

    Source: P. Warden, Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition (2018),
    section 7 and the data set's README.
    """
    return _split_at(hashed_percentage(file_name.split("_nohash_")[0]))


def hashed_split(name: str) -> Split:
    """80 % train, 10 % validation, 10 % test, by a hash of the file's name without its ending."""
    return _split_at(hashed_percentage(name))


def split_by_shares(name: str, shares: tuple[float, float, float]) -> Split:
    """As `hashed_split`, with other shares of train, validation and test."""
    _, validation, test = shares
    return _split_at(hashed_percentage(name), 100 * validation, 100 * (validation + test))


def held_out_split(name: str) -> Split:
    """90 % train and 10 % validation by hash, where the test set is given apart."""
    return "validation" if hashed_percentage(name) < 10 else "train"


def _split_at(percentage: float, validation: float = 10, held_out: float = 20) -> Split:
    if percentage < validation:
        return "validation"
    return "test" if percentage < held_out else "train"
