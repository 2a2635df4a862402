"""Spectra that a net makes of a waveform itself: their bands and frames, and banks of bands."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from convscope.inside.tracing.fields import Along, Field, View
from convscope.inside.tracing.step import Given, Step, contracted, mapped, merged


def short_time(step: Step) -> View | None:
    """`torch.stft`: (…, n_times) to (…, n_bins, n_frames); a frame sees its window."""
    given = step.seeing[0]
    n_fft: int = step.argument(1, "n_fft")
    hop = step.argument(2, "hop_length") or n_fft // 4
    window = step.argument(3, "win_length") or n_fft
    is_centred = step.argument(5, "center", default=True)
    last, frames = len(given.shape) - 1, len(given.shape)
    if given.view is None or not given.tensor.is_floating_point():
        return None
    before = (n_fft // 2 if is_centred else 0) - (n_fft - window) // 2

    def change(each: Along) -> Along | None:
        if each.dim != last:
            return each
        if each.is_mixed:
            return None
        return replace(each, field=each.field.windowed(window, hop, before, 1), dim=frames)

    return (*mapped(given.view, change), _bins(n_fft, step.shape[last], last))


def fourier(step: Step) -> View | None:
    """`torch.fft.rfft`: samples, such as those of frames, to the bins of their spectrum."""
    given = step.seeing[0]
    dim = step.argument(2, "dim", default=-1) % len(given.shape)
    n_fft = step.argument(1, "n") or given.shape[dim]
    if given.view is None:
        return None
    return (*contracted(given.view, given.shape, [dim]), _bins(n_fft, step.shape[dim], dim))


def _bins(n_fft: int, n_bins: int, dim: int) -> Along:
    return Along(Field(), dim, bands=tuple(k / n_fft for k in range(n_bins)))


def folded(step: Step) -> View | None:
    """`Tensor.unfold(dim, size, step)`: windows; what is within one comes last."""
    given = step.seeing[0]
    dim = step.argument(1, "dimension") % len(given.shape)
    size, hop = step.argument(2, "size"), step.argument(3, "step")
    if given.view is None:
        return None

    def change(each: Along) -> Along | None:
        if each.dim != dim:
            return each
        return None if each.is_mixed else replace(each, field=each.field.windowed(size, hop, 0, 1))

    return mapped(given.view, change)


def product(step: Step, terms: Sequence[str], result: str) -> View | None:
    """Sums of products, as `einsum` writes them: each letter an axis.

    Positions whose letter the result lacks are summed over. Where the bands of a spectrum are, by a
    matrix without negative numbers such as a mel bank, the result has bands of the matrix.
    """
    views = []
    for given, letters in zip(step.given, terms, strict=True):
        if not given.is_seeing:
            continue
        if given.view is None:
            return None
        summed = [d for d, letter in enumerate(letters) if letter not in result]
        places = {d: result.index(letter) for d, letter in enumerate(letters) if letter in result}
        view = contracted(given.view, given.shape, summed)
        view = mapped(view, lambda each, to=places: each.moved(to))  # type: ignore[misc]
        banks = [
            (each, own) for each, own in zip(step.given, terms, strict=True) if each is not given
        ]
        for k, before in enumerate(given.view):
            if before is not None and before.bands is not None and before.dim in summed:
                band = _banked(before, letters[before.dim], banks, result)
                view = view if band is None else (*view[:k], band, *view[k + 1 :])
        views.append(view)
    return _attended(views, step)


def _banked(
    before: Along, letter: str, banks: Sequence[tuple[Given, str]], result: str
) -> Along | None:
    """The axis of bands behind a bank (n_bands, n_bins) or (n_bins, n_bands); None behind others.

    The middle of a band is the mean of its bins, weighted.
    """
    if len(banks) != 1 or len(banks[0][1]) != 2 or banks[0][0].is_seeing:
        return None
    matrix, letters = banks[0][0].tensor.detach(), banks[0][1]
    own = letters.replace(letter, "")
    if letter not in letters or len(own) != 1 or own not in result or before.bands is None:
        return None
    weights = (matrix if letters[1] == letter else matrix.T).double().cpu()
    if bool((weights < 0).any()) or before.field != Field():
        return None
    bins = torch.tensor(before.bands[: weights.shape[1]], dtype=torch.float64)
    middles: Tensor = (weights @ bins) / weights.sum(1).clamp_min(1e-12)
    return Along(Field(), result.index(own), bands=tuple(middles.tolist()))


def _attended(views: Sequence[View], step: Step) -> View | None:
    """Where positions of one factor meet all of another, as queries meet keys, the first's stay."""
    first, *others = views
    for other in others:
        loose = mapped(other, lambda each: each)
        pairs = zip(first, loose, strict=False)
        other = tuple(
            replace(b, field=_all_of(b, step), dim=None)
            if a is not None and b is not None and None not in (a.dim, b.dim) and a.dim != b.dim
            else b
            for a, b in pairs
        )
        first = merged([first, other], step.shape)
    return first


def _all_of(each: Along, step: Step) -> Field:
    assert each.dim is not None
    return each.field.spanned(step.shape[each.dim])


def einsum(step: Step) -> View | None:
    """By its equation, without an ellipsis."""
    equation = step.args[0]
    if not isinstance(equation, str) or "." in equation:
        return None
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    letters = "".join(terms)
    result = right if arrow else "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    return product(step, terms, result) if len(terms) == len(step.given) else None


def matmul(step: Step) -> View | None:
    """(…, rows, inner) @ (…, inner, columns), leading axes laid over each other from the right."""
    if step.name in ("addmm", "baddbmm") or len(step.given) != 2:
        return None
    n = len(step.shape)
    ahead = "abcdefghijklmn"[: max(n - 2, 0)]
    terms = []
    for given, own in zip(step.given, ("xy", "yz"), strict=True):
        if len(given.shape) < 2:
            return None
        leading = len(given.shape) - 2
        terms.append(ahead[len(ahead) - leading :] + own)
    return product(step, terms, f"{ahead}xz")


def linear(step: Step) -> View | None:
    """(…, n_in) to (…, n_out)."""
    given = step.given[0]
    if not given.is_seeing or len(step.seeing) > 1:
        return None
    ahead = "abcdefghijklmn"[: len(given.shape) - 1]
    bare = replace(step, given=[given, step.given[1]])
    return product(bare, [f"{ahead}y", "zy"], f"{ahead}z")
