"""What training says of files that it uses although something is wrong with them."""

import logging

from convscope.data.config import SoundConfig
from convscope.data.dataset import Dataset
from convscope.data.listing.notes import NOTES

log = logging.getLogger(__name__)


def warn_of_notes(dataset: Dataset) -> None:
    """A line for each kind of note: how many files, one of them, and how to see all by name."""
    for kind, meaning in NOTES.items():
        noted = [each for each in dataset.noted if each.kind == kind]
        if noted:
            log.warning(
                "%d of %d files %s, such as %s: it %s; convscope data check %s names all",
                len({each.path for each in noted}),
                len(dataset.ids),
                meaning,
                noted[0].path,
                noted[0].text,
                _as_trained(dataset),
            )


def _as_trained(dataset: Dataset) -> str:
    """The folder, and the settings by which a check takes its files as training does."""
    config = dataset.config
    if isinstance(config, SoundConfig):
        return f"{config.folder} data.rate_hz={config.rate_hz} data.seconds={config.seconds:g}"
    white = getattr(config, "white_level", None)
    return f"{config.folder} data.white_level={white}" if white else str(config.folder)
