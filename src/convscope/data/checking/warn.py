"""What is said of the files of a data set while it is loaded."""

import logging
from collections.abc import Mapping, Sequence

from convscope.data.config import DataConfig
from convscope.data.dataset import Dataset
from convscope.data.hosts import Folder
from convscope.data.listing.fields import crossing_groups, values_of
from convscope.data.listing.files import ClipFile
from convscope.data.listing.skipped_files import PassedOver
from convscope.errors import UserError, first_few

log = logging.getLogger(__name__)


def refuse_empty_classes(
    config: DataConfig, empty: Sequence[str], left: Sequence[PassedOver], expected: str
) -> None:
    """Raise a UserError where class folders give no clips: a class would be missing unnoticed.

    Args:
        config: of data whose folders are all classes.
        empty: names of class folders without clips.
        left: what lies in the data folder beside clips.
        expected: where clips of this kind lie, in words.
    """
    if not empty:
        return
    there = [str(each) for each in left if each.folder.rpartition("/")[2] in empty]
    raise UserError(
        f"data.{config.names_key}: no clips in {config.folder} of {first_few(map(repr, empty))}"
        f"{f', only {first_few(there)}' if there else ''}: expected {expected}: convert or move "
        f"their files, name the classes to train, or begin the name of what is no class with _"
    )


def warn_of_passed_over(config: DataConfig, left: Sequence[PassedOver]) -> None:
    """Say how many files may have been meant as clips, and where; not of what is set aside."""
    left = [each for each in left if not each.is_set_aside]
    if left:
        log.warning(
            "%d files in %s passed over: %s; convscope data check names all",
            sum(each.n_files for each in left),
            config.folder,
            first_few(map(str, left)),
        )


def warn_of_unknown_ids(config: DataConfig, unknown: Sequence[str]) -> None:
    """Say which ids of `data.exclude` are of no clip."""
    if not unknown:
        return
    commented = any("#" in id for id in unknown)  # older lists had comments behind their ids
    log.warning(
        "data.exclude: %d of its %d ids are of no clip in %s: %s%s: mend them or take them out",
        len(unknown),
        len(config.exclude),
        config.folder,
        first_few(map(repr, unknown)),
        " (a comment stands on a line of its own)" if commented else "",
    )


def warn_of_crossing_groups(folder: Folder, field: str, files: Sequence[ClipFile]) -> None:
    """Say which groups stand in several splits.

    Args:
        folder: of the data.
        field: that names the groups.
        files: what is trained on.
    """
    crossing = crossing_groups(files, values_of(files, "data.group", field))
    if crossing:
        log.warning(
            "data.group=%s: %d groups in %s stand in several splits: %s: choose "
            "data.split=stratified or data.folds to keep each on one side",
            field,
            len(crossing),
            folder,
            first_few(map(str, crossing)),
        )


def warn_of_leaks(dataset: Dataset, digests: Mapping[str, str]) -> None:
    """Say which clips of one split are in another as well, under another name.

    Args:
        dataset: what is trained on.
        digests: of the contents of files, by their ids; of clips without one nothing is said.
    """
    first: dict[str, tuple[str, int]] = {}
    leaks = []
    for id, split in zip(dataset.ids.tolist(), dataset.splits.tolist(), strict=True):
        if digest := digests.get(id):
            other, its_split = first.setdefault(digest, (id, split))
            if its_split != split:
                leaks.append(f"{other} = {id}")
    if leaks:
        log.warning(
            "%d clips in %s have the same contents in another split: %s: what is tested on was "
            "trained on; convscope data check names all",
            len(leaks),
            dataset.config.folder,
            first_few(leaks),
        )
