"""What a finished run answered on its test clips."""

import zipfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.run import PREDICTIONS, Run


def read_predictions(run: Run, n_classes: int) -> dict[str, NDArray[Any]]:
    """`logits` (n_clips, n_classes), `labels`, `ids` and `scored` (n_clips,).

    A run may come from elsewhere: nothing in it is unpickled, nor unpacked to more than it takes on
    the disk.

    Raises:
        UserError: where the run holds no such arrays.
    """
    path = run.path(PREDICTIONS)
    try:
        with zipfile.ZipFile(path) as packed:
            is_plain = all(each.compress_type == zipfile.ZIP_STORED for each in packed.infolist())
        if not is_plain:
            raise run.damaged(PREDICTIONS)
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in ("logits", "labels", "ids", "scored")}
    except Exception:  # whatever a damaged file makes zipfile and NumPy raise
        raise run.damaged(PREDICTIONS) from None
    if not _fit_together(arrays, n_classes):
        raise run.damaged(PREDICTIONS)
    return arrays


def _fit_together(arrays: dict[str, NDArray[Any]], n_classes: int) -> bool:
    logits, labels, ids, scored = arrays.values()
    n_clips = len(logits) if logits.ndim else -1
    return (
        logits.shape == (n_clips, n_classes)
        and labels.shape == ids.shape == scored.shape == (n_clips,)
        and [each.dtype.kind for each in arrays.values()] == ["f", "i", "U", "b"]
        and bool(((labels >= 0) & (labels < n_classes)).all())
    )
