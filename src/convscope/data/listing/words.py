"""Spoken words in the layout of Speech Commands: word/speaker_nohash_n.wav."""

from pathlib import Path

from convscope.data.listing.files import (
    SOUND_SUFFIXES,
    ClipFile,
    OnClosed,
    files_by_class,
    refuse_closed,
)
from convscope.data.listing.splits import official_split


def list_words(root: Path, on_closed: OnClosed = refuse_closed) -> list[ClipFile]:
    """Every recording below `root`, with the official split: no speaker is in two parts.

    Passed over: hidden files, folders such as `_background_noise_`, and whatever is no sound.

    Raises:
        UserError: a folder cannot be read, unless `on_closed` does otherwise.
    """
    return files_by_class(root, root, SOUND_SUFFIXES, official_split, on_closed)
