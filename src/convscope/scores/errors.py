"""The wrongly labelled clips of a run, those first about which the network was most sure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convscope.errors import UserError
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


def softmax(logits: Logits) -> NDArray[np.float64]:
    """Probabilities exp(x_k) / Σ_j exp(x_j), (n_clips, n_classes), in double precision."""
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


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
    probabilities = softmax(logits)
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


def _class_index(name: str, classes: Sequence[str], option: str) -> int:
    if name not in classes:
        raise UserError(
            f"{option}: {name!r} is not a class of this run{suggest(name, list(classes))}"
        )
    return list(classes).index(name)
