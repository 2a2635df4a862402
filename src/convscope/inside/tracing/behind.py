"""What the output of each operation sees of the clip: known through some operations, else lost."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from convscope.inside.tracing.fields import Along, Field, View
from convscope.inside.tracing.shapes import PARTS, SHAPES, parts
from convscope.inside.tracing.spectra import einsum, folded, fourier, linear, matmul, short_time
from convscope.inside.tracing.step import (
    Rule,
    Shape,
    Step,
    contracted,
    mapped,
    merged,
    moved,
    whole_along,
)
from convscope.inside.tracing.trace import ACTIVATIONS, CONVOLUTIONS, DROPOUTS, NORMS, POOLINGS
from convscope.inside.tracing.windows import windows_of

POINTWISE = (
    ACTIVATIONS
    | NORMS  # their statistics, though over all positions, are not counted
    | DROPOUTS
    | {
        *("add", "sub", "__rsub__", "rsub", "mul", "div", "true_divide", "__rdiv__", "neg", "pow"),
        *("abs", "square", "sqrt", "rsqrt", "exp", "log", "log1p", "log10", "log2", "sin", "cos"),
        *("maximum", "minimum", "where", "gt", "ge", "lt", "le", "eq", "ne", "softsign", "lerp"),
        *("log_sigmoid", "hardshrink", "softshrink", "tanhshrink", "masked_fill", "addcmul"),
        *("reciprocal", "real", "imag", "angle", "view_as_real", "nan_to_num", "erf"),
        *("contiguous", "clone", "detach", "data", "requires_grad", "to", "type", "type_as"),
        *("float", "double", "half", "bfloat16", "cpu", "cuda", "zeros_like", "ones_like"),
        *("expand", "expand_as", "rms_norm", "normalize"),
    }
)
"""Operations whose output at a position is of the inputs at that position alone."""

NORMALISING = frozenset({"sub", "div", "true_divide"})
"""Where they take a number of the whole map, such as its mean, it counts as a norm's statistic."""

REDUCTIONS = frozenset(
    {"mean", "sum", "amax", "amin", "max", "min", "std", "var", "logsumexp", "median", "prod"}
)

RUNNING = frozenset({"softmax", "log_softmax", "cumsum", "cumprod", "logcumsumexp", "glu"})
"""Operations along one axis that keeps its length (a gate's is halved)."""

RECURRENT = frozenset({"gru", "lstm", "rnn_tanh", "rnn_relu"})


def views_behind(step: Step) -> list[View | None]:
    """What each output of an operation sees; None where that is not known."""
    n_outputs = len(step.shapes)
    if not step.seeing or any(each.view is None for each in step.seeing):
        return [None] * n_outputs
    if step.name in PARTS:
        return parts(step)
    if step.name in RECURRENT:
        return _recurrent(step)
    rule = RULES.get(step.name)
    return [None if rule is None else rule(step)] * n_outputs


def _pointwise(step: Step) -> View | None:
    """Shapes are laid over each other from the right; an axis of one position goes for all."""
    n = len(step.shape)
    views = [_laid(each.view or (), each.shape, step.shape) for each in step.seeing]
    if step.name == "view_as_real":
        return step.seeing[0].view
    if any(len(each.shape) > n for each in step.seeing):
        return None
    if step.name in NORMALISING:
        views = [views[0], *[view for view in views[1:] if not _is_statistic(view, views[0])]]
    return merged(views, step.shape)


def _laid(view: View, shape: Shape, over: Shape) -> View:
    ahead = len(over) - len(shape)
    laid = moved(view, {d: d + ahead for d in range(len(shape))})
    return mapped(
        laid,
        lambda each: (
            replace(each, dim=None)
            if each.dim is not None and shape[each.dim - ahead] == 1 != over[each.dim]
            else each
        ),
    )


def _is_statistic(view: View, first: View) -> bool:
    """Whether a tensor is the same at all positions of another."""
    return all(b is None or b.dim is None for b in view) and any(
        a is not None and a.dim is not None for a in first
    )


def _windowed(step: Step) -> View | None:
    """Convolutions and poolings of (n_clips, n_channels, *positions)."""
    if len(step.seeing) > 1:  # the filters come from the clip as well
        return None
    given, name = step.seeing[0], step.name
    n_axes = len(step.shape) - 2
    windows = windows_of(name, step.args, step.kwargs, n_axes)
    mixes_channels = name in CONVOLUTIONS

    def change(each: Along) -> Along | None:
        if each.dim is None or each.dim == 0:
            return each
        if each.dim == 1:
            return each.together(given.shape) if mixes_channels else each
        if each.is_mixed:
            return None
        return replace(each, field=each.field.windowed(*windows[each.dim - 2]))

    return mapped(given.view or (), change)


def _spread(step: Step) -> View | None:
    """Transposed convolutions: output i sees the inputs j with 0 ≤ i + padding − stride j < reach,
    reach = (kernel − 1) dilation + 1."""
    if len(step.seeing) > 1:
        return None
    given = step.seeing[0]
    windows = windows_of(step.name, step.args, step.kwargs, len(step.shape) - 2)

    def change(each: Along) -> Along | None:
        if each.dim is None or each.dim == 0:
            return each
        if each.dim == 1:
            return each.together(given.shape)
        kernel, stride, padding, dilation = windows[each.dim - 2]
        some = range(min(step.shape[each.dim], 2 * stride))
        reach = (kernel - 1) * dilation
        first = [Fraction(-((reach - i - padding) // stride)) for i in some]
        last = [Fraction((i + padding) // stride) for i in some]
        return _shrunk(each, first, last, Fraction(1, stride))

    return mapped(given.view or (), change)


def _shrunk(
    each: Along, first: Sequence[Fraction], last: Sequence[Fraction], step: Fraction
) -> Along | None:
    field = None if each.is_mixed else each.field.shrunk(first, last, step)
    return None if field is None else replace(each, field=field)


def _interpolated(step: Step) -> View | None:
    """`interpolate`: nearest, or linear between the two neighbours."""
    given = step.seeing[0]
    mode = step.argument(3, "mode", default="nearest")
    is_near = mode in ("nearest", "nearest-exact", "area")
    if mode == "bicubic" or step.argument(4, "align_corners") or step.kwargs.get("antialias"):
        return None

    def change(each: Along) -> Along | None:
        if each.dim is None or each.dim < 2 or given.shape[each.dim] == step.shape[each.dim]:
            return each
        ratio = Fraction(given.shape[each.dim], step.shape[each.dim])
        if mode == "area":
            return _adaptive(each, given.shape, step.shape)
        half = Fraction(0) if mode == "nearest" else Fraction(1, 2)
        some = range(min(step.shape[each.dim], 2 * ratio.denominator))
        at = [(i + half) * ratio - (0 if is_near else half) for i in some]
        first = [Fraction(x // 1) for x in at]
        last = first if is_near else [Fraction(-(-x // 1)) for x in at]
        return _shrunk(each, first, last, ratio)

    return mapped(given.view or (), change)


def _adaptive(each: Along, shape: Shape, behind: Shape) -> Along | None:
    """Averages over parts of a given number; of one part over all."""
    assert each.dim is not None
    n, m = shape[each.dim], behind[each.dim]
    if m == 1:
        return each.together(shape)
    ratio = Fraction(n, m)
    first = [Fraction(i * n // m) for i in range(m)]
    last = [Fraction(-(-(i + 1) * n // m) - 1) for i in range(m)]
    return _shrunk(each, first, last, ratio)


def _adaptively(step: Step) -> View | None:
    given = step.seeing[0]

    def change(each: Along) -> Along | None:
        if each.dim is None or each.dim < len(given.shape) - step.name.count("2d") - 1:
            return each
        return _adaptive(each, given.shape, step.shape)

    return mapped(given.view or (), change)


def _padded(step: Step) -> View | None:
    """`pad`: before and behind the last axis, then before and behind the one before it, …"""
    pads: Sequence[int] = step.argument(1, "pad")
    n = len(step.shape)
    before = {n - 1 - k: pads[2 * k] for k in range(len(pads) // 2)}

    def change(each: Along) -> Along | None:
        if each.dim is None or not before.get(each.dim):
            return each
        if each.is_mixed:
            return None
        return replace(each, field=each.field.windowed(1, 1, before[each.dim], 1))

    return mapped(step.seeing[0].view or (), change)


def _reduced(step: Step) -> View | None:
    """Over some axes, or over all."""
    given = step.seeing[0]
    if len(step.seeing) > 1:  # the larger of two tensors
        return _pointwise(step)
    dims = step.dims(1, "dim", "axis")
    dims = list(range(len(given.shape))) if dims is None else dims
    view = contracted(given.view or (), given.shape, dims)
    if len(step.shape) == len(given.shape):
        return view
    left = [d for d in range(len(given.shape)) if d not in dims]
    return moved(view, {d: k for k, d in enumerate(left)})


def _running(step: Step) -> View | None:
    given = step.seeing[0]
    dim = (step.dims(1, "dim") or [len(given.shape) - 1])[0]
    view = given.view or ()
    if step.name != "glu":
        return whole_along(view, given.shape, dim)
    return mapped(view, lambda each: None if each.dim == dim else each)


def _recurrent(step: Step) -> list[View | None]:
    """Every state takes something of all steps; the last states are of all as well."""
    given = step.seeing[0]
    if given.tensor is not step.given[0].tensor or len(given.shape) != 3 or len(step.args) < 9:
        return [None] * len(step.shapes)
    time = 1 if step.args[8] else 0
    view = contracted(given.view or (), given.shape, [2])
    states = whole_along(view, given.shape, time)
    return [states, *[contracted(view, given.shape, [time])] * (len(step.shapes) - 1)]


def _attended(step: Step) -> View | None:
    """A query takes something of all keys; `multi_head_attention_forward` has steps first."""
    query, *others = step.seeing
    if query.tensor is not step.given[0].tensor:
        return None
    time = 0 if step.name == "multi_head_attention_forward" else len(query.shape) - 2
    features = len(query.shape) - 1
    view = contracted(query.view or (), query.shape, [features])
    for other in others:
        if len(other.shape) != len(query.shape) or other.view is None:
            return None
        seen = contracted(other.view, other.shape, [time, features])
        view = merged([view, seen], step.shape)
    return view


def _unfolded(step: Step) -> View | None:
    """`Tensor.unfold(dim, size, step)`, or `F.unfold(maps, kernel_size, …)`: windows of maps with
    one axis of more than one position, flattened to channels."""
    given = step.seeing[0]
    if len(step.shape) == len(given.shape) + 1:
        return folded(step)
    windows = windows_of("unfold", step.args, step.kwargs, 2)
    counts = [
        (n + 2 * p - (k - 1) * d - 1) // s + 1
        for n, (k, s, p, d) in zip(given.shape[2:], windows, strict=True)
    ]
    long = [d for d, n in enumerate(counts, 2) if n > 1]

    def change(each: Along) -> Along | None:
        if each.dim is None or each.dim < 2:
            return each.together(given.shape) if each.dim == 1 else each
        field = each.field.windowed(*windows[each.dim - 2])
        return replace(each, field=field, dim=2 if long == [each.dim] else None)

    return mapped(given.view or (), change) if len(long) <= 1 else None


RULES: Mapping[str, Rule] = {
    **SHAPES,
    **dict.fromkeys(POINTWISE, _pointwise),
    **dict.fromkeys(CONVOLUTIONS | POOLINGS, _windowed),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d"), _spread),
    **dict.fromkeys(("interpolate", "upsample"), _interpolated),
    **dict.fromkeys(
        (
            *("adaptive_avg_pool1d", "adaptive_avg_pool2d"),
            *("adaptive_max_pool1d", "adaptive_max_pool2d"),
        ),
        _adaptively,
    ),
    **dict.fromkeys(REDUCTIONS, _reduced),
    **dict.fromkeys(RUNNING, _running),
    **dict.fromkeys(("matmul", "bmm", "mm", "__matmul__", "__rmatmul__"), matmul),
    **dict.fromkeys(("scaled_dot_product_attention", "multi_head_attention_forward"), _attended),
    "einsum": einsum,
    "linear": linear,
    "pad": _padded,
    "stft": short_time,
    "fft_rfft": fourier,
    "unfold": _unfolded,
}
"""The rule of each operation by its name."""


def starting(shape: Shape) -> View:
    """What a clip (n_clips, n_channels, *axes) sees: itself."""
    return tuple(Along(Field(), k) for k in range(2, len(shape)))
