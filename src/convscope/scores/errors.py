"""The wrongly labelled clips of a run, those first about which the network was most sure."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.table import Table
from scipy.special import softmax

from convscope.errors import UserError
from convscope.names import find_name
from convscope.run import Run
from convscope.scores.predictions import read_predictions
from convscope.settings import suggest
from convscope.types import Labels, Logits


@dataclass(frozen=True)
class WrongClip:
    """One clip whose predicted class is not its label.

    Attributes:
        id: the clip's path below the data folder, or its row.
        actual: the label's class.
        predicted: the class of the largest logit.
        probability: of the predicted class, by the softmax.
        margin: that less the probability of the actual class: 0 undecided, 1 quite sure.
    """

    id: str
    actual: str
    predicted: str
    probability: float
    margin: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return asdict(self)


def wrong_clips(
    logits: Logits,
    labels: Labels,
    ids: Sequence[str] | NDArray[np.str_],
    classes: Sequence[str],
    actual: str | None = None,
    predicted: str | None = None,
) -> list[WrongClip]:
    """The wrongly labelled clips, most confident first; equally confident ones as they come.

    Args:
        logits: (n_clips, n_classes).
        labels: (n_clips,) indices into `classes`.
        ids: (n_clips,) what names a clip.
        classes: n_classes names.
        actual: only clips of this class.
        predicted: only clips taken for this class.

    Raises:
        UserError: `actual` or `predicted` is no class of the run.
    """
    answers = logits.argmax(axis=1)
    wrong = answers != labels
    if actual is not None:
        wrong &= labels == _class_index(actual, classes, "actual")
    if predicted is not None:
        wrong &= answers == _class_index(predicted, classes, "predicted")
    probabilities = softmax(logits.astype(np.float64), axis=1)
    found = [
        WrongClip(
            id=str(ids[i]),
            actual=classes[labels[i]],
            predicted=classes[answers[i]],
            probability=float(probabilities[i, answers[i]]),
            margin=float(probabilities[i, answers[i]] - probabilities[i, labels[i]]),
        )
        for i in np.flatnonzero(wrong).tolist()
    ]
    return sorted(found, key=lambda clip: -clip.probability)


def wrong_clips_of(
    run: Run, actual: str | None = None, predicted: str | None = None
) -> list[WrongClip]:
    """The wrongly labelled test clips of a finished run, of those that its scores count.

    Raises:
        UserError: the run is not done or damaged, or `actual` or `predicted` is no class of it.
    """
    if not run.is_done:
        raise UserError(
            f"{run.folder} has no predictions yet: expected a run that is done, got one that is "
            f"{run.status.get('state', 'interrupted')}; train it to its end first"
        )
    run.verify()
    classes = [each["name"] for each in run.scores["classes"]]
    stored = read_predictions(run, len(classes))
    scored = stored["scored"]
    logits, labels, ids = (stored[key][scored] for key in ("logits", "labels", "ids"))
    return wrong_clips(logits, labels, ids, classes, actual, predicted)


def errors_table(clips: Sequence[WrongClip]) -> Table:
    """Wrongly labelled clips for the terminal."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("clip", overflow="fold")
    for heading in ("actual", "predicted"):
        table.add_column(heading, no_wrap=True)
    for heading in ("probability", "margin"):
        table.add_column(heading, justify="right", no_wrap=True)
    for clip in clips:
        shares = f"{clip.probability:.4f}", f"{clip.margin:.4f}"
        table.add_row(clip.id, clip.actual, clip.predicted, *shares)
    return table


def _class_index(name: str, classes: Sequence[str], option: str) -> int:
    found = find_name(name, classes)
    if found is None:
        raise UserError(
            f"{option}: {name!r} is not a class of this run{suggest(name, list(classes))}"
        )
    return list(classes).index(found)
