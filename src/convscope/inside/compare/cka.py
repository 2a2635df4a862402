"""How alike two layers are, whatever their numbers of units: centred kernel alignment."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

LEAST_CLIPS = 4
"""The unbiased estimator divides by n - 3."""


def unbiased_hsic(grams: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    r"""The Hilbert-Schmidt independence criterion of each pair of Gram matrices.

    With the diagonals of K and L set to 0,

        HSIC₁ = [ tr KL + (1ᵀK1)(1ᵀL1) / ((n-1)(n-2)) - 2 (1ᵀKL1) / (n-2) ] / (n (n-3)).

    Unlike the older, biased estimator its mean does not depend on the number of clips, so that it
    may be averaged over batches.

    Args:
        grams: (n_layers, n_clips, n_clips) K = X Xᵀ of each layer's answers X to the same clips.
        others: (n_other_layers, n_clips, n_clips).

    Returns:
        (n_layers, n_other_layers).

    Source: L. Song and others, Feature selection via dependence maximization, J. Mach. Learn. Res.
    13, 1393 (2012), equation 5.
    """
    n = grams.shape[1]
    off = 1 - np.eye(n)
    ks, ls = grams * off, others * off
    k_sums, l_sums = ks.sum(axis=2), ls.sum(axis=2)
    trace = ks.reshape(len(ks), -1) @ ls.reshape(len(ls), -1).T
    totals = np.outer(k_sums.sum(axis=1), l_sums.sum(axis=1)) / ((n - 1) * (n - 2))
    cross = 2 * k_sums @ l_sums.T / (n - 2)
    return np.asarray((trace + totals - cross) / (n * (n - 3)))


def gram(answer: Tensor) -> NDArray[np.float64]:
    """X Xᵀ (n_clips, n_clips) of a layer's answer (n_clips, …), its mean over clips taken off.

    HSIC does not depend on that mean, but rounding does.
    """
    flat = answer.detach().float().flatten(1)
    flat = flat - flat.mean(dim=0)
    product: NDArray[np.float64] = (flat @ flat.T).double().cpu().numpy()
    return product


@dataclass
class Alignment:
    """Linear CKA of every pair of layers of two nets, batch by batch over the same clips.

        CKA(X, Y) = Σ HSIC₁(K, L) / √( Σ HSIC₁(K, K) · Σ HSIC₁(L, L) ),  sums over batches.

    1: alike up to a rotation and one scale; 0 (or a little below it): nothing in common.

    Source: S. Kornblith and others, Similarity of neural network representations revisited, ICML
    (2019), section 3; in batches: T. Nguyen, M. Raghu and S. Kornblith, Do wide and deep networks
    learn the same things?, ICLR (2021), section 3.
    """

    names: list[str] = field(default_factory=list)
    other_names: list[str] = field(default_factory=list)
    n_clips: int = 0
    _cross: NDArray[np.float64] | float = 0.0
    _own: NDArray[np.float64] | float = 0.0
    _other: NDArray[np.float64] | float = 0.0

    def add(self, answers: Mapping[str, Tensor], others: Mapping[str, Tensor]) -> None:
        """Count a batch of clips: what layers of both nets answer to them, (n_clips, …) each."""
        n = len(next(iter(answers.values())))
        if n < LEAST_CLIPS:
            return
        self.names, self.other_names = list(answers), list(others)
        own = np.stack([gram(each) for each in answers.values()])
        other = np.stack([gram(each) for each in others.values()])
        self._cross = self._cross + unbiased_hsic(own, other)
        self._own = self._own + _with_itself(own)
        self._other = self._other + _with_itself(other)
        self.n_clips += n

    @property
    def cka(self) -> NDArray[np.float64]:
        """(n_layers, n_other_layers); NaN of a layer that answers the same to all clips."""
        product = np.outer(self._own, self._other)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.where(product > 0, self._cross / np.sqrt(product), np.nan))


def _with_itself(grams: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([unbiased_hsic(each[None], each[None])[0, 0] for each in grams])


def cka(answer: Tensor, other: Tensor) -> float:
    """Linear CKA of two layers' answers to the same clips, (n_clips, …) each, in one batch."""
    alignment = Alignment()
    alignment.add({"": answer}, {"": other})
    return float(alignment.cka[0, 0])
