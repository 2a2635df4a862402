"""What an input is to maximise: objectives that add and scale.

    unit("conv3:17") - 0.1 * tv()
    channel(["conv3:0", "conv3:1"])      a batch: each example has a target of its own
    logit("zero") - 0.5 * diversity()

Source: A. Nguyen, J. Yosinski, J. Clune, Understanding Neural Networks via Feature Visualization: A
Survey (2019); C. Olah, A. Mordvintsev, L. Schubert, Feature Visualization, Distill (2017).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from convscope.errors import UserError
from convscope.inside.tracing.layers import Layer
from convscope.inside.tracing.unit_names import read_unit


@dataclass(frozen=True)
class Seen:
    """What an objective is made of.

    Attributes:
        inputs: (n_examples, n_channels, …), n_restarts of each target in a row.
        answers: of each layer that the objective asked for, (n_examples, n_units, …).
        layers: of the net, by name.
        classes: names of the logits, as far as they are known.
        n_restarts: examples of each target.
    """

    inputs: Tensor
    answers: Mapping[str, Tensor]
    layers: Mapping[str, Layer]
    classes: Sequence[str] = ()
    n_restarts: int = 1

    def indices(self, targets: Sequence[str]) -> Tensor:
        """(n_examples,) the unit that each example has as its target."""
        found = [read_unit(target, self.layers, self.classes).index for target in targets]
        return torch.tensor(found, device=self.inputs.device).repeat_interleave(self.n_restarts)

    def of_targets(self, targets: Sequence[str]) -> Tensor:
        """(n_examples, …) what each example's own unit answers, at all positions."""
        answers = self.answers[_layer_of(targets)]
        units = self.indices(targets).expand(len(answers))
        return answers[torch.arange(len(answers), device=answers.device), units]


@dataclass(frozen=True)
class Objective:
    """A number for each example, the larger the better.

    Attributes:
        value: gives them, (n_examples,).
        layers: whose answers it needs.
        targets: the units that it drives, an example (or `n_restarts`) each; none: one for all.
        text: how it is written.
    """

    value: Callable[[Seen], Tensor]
    layers: frozenset[str] = frozenset()
    targets: tuple[str, ...] = ()
    text: str = ""

    def __add__(self, other: "Objective") -> "Objective":
        targets = self.targets or other.targets
        n_targets = {len(each.targets) for each in (self, other)} - {0, 1}
        if len(n_targets) > 1:
            raise UserError(
                f"{self.text} + {other.text}: expected as many targets on both sides, "
                f"got {len(self.targets)} and {len(other.targets)}"
            )
        if len(other.targets) > len(targets):
            targets = other.targets
        return Objective(
            lambda seen: self.value(seen) + other.value(seen),
            self.layers | other.layers,
            targets,
            f"{self.text} + {other.text}",
        )

    def __radd__(self, other: int) -> "Objective":
        """So that sum([…]), which begins with 0, adds objectives up."""
        return self if other == 0 else NotImplemented

    def __mul__(self, factor: float) -> "Objective":
        text = f"{factor:g} · {self.text}"
        return Objective(lambda seen: factor * self.value(seen), self.layers, self.targets, text)

    __rmul__ = __mul__

    def __truediv__(self, divisor: float) -> "Objective":
        return self * (1 / divisor)

    def __neg__(self) -> "Objective":
        return self * -1.0

    def __sub__(self, other: "Objective") -> "Objective":
        return self + -other


def unit(targets: str | Sequence[str], at: int | tuple[int, ...] | None = None) -> Objective:
    """What a unit answers at one position: a[i, at].

    Args:
        targets: `conv3:17` or `logits:zero`; or several of one layer, an example for each.
        at: the position, an index for each axis; None: the middle one.
    """
    names = _names(targets)
    where = (at,) if isinstance(at, int) else at

    def value(seen: Seen) -> Tensor:
        answers = seen.of_targets(names)
        sizes = answers.shape[1:]
        middle = tuple(size // 2 for size in sizes)
        place = middle if where is None or not sizes else where
        if len(place) != len(sizes) or any(
            not 0 <= i < size for i, size in zip(place, sizes, strict=True)
        ):
            raise UserError(
                f"at={at}: expected a position in {tuple(sizes)}, which is what {names[0]} has"
            )
        return answers.reshape(len(answers), -1)[:, _flat(place, sizes)]

    return Objective(value, frozenset({_layer_of(names)}), names, f"unit({_text(names)})")


def channel(targets: str | Sequence[str]) -> Objective:
    """The mean over positions of what a unit answers: mean_t a[i, t].

    Of a convolution without its activation this is linear in the clip, and so its best clip is a
    constant: ask for `act3:17` there.
    """
    names = _names(targets)
    return Objective(
        lambda seen: (
            seen.of_targets(names).flatten(1).mean(1)
            if seen.of_targets(names).dim() > 1
            else seen.of_targets(names)
        ),
        frozenset({_layer_of(names)}),
        names,
        f"channel({_text(names)})",
    )


def layer(name: str) -> Objective:
    """The mean square of all that a layer answers: DeepDream (A. Mordvintsev and others, 2015)."""
    return Objective(
        lambda seen: seen.answers[name].flatten(1).square().mean(1),
        frozenset({name}),
        text=f"layer({name})",
    )


def logit(classes: str | Sequence[str]) -> Objective:
    """A class, before the softmax, which would as well be satisfied by lowering the others."""
    return unit([f"logits:{name}" for name in _names(classes)])


def tv() -> Objective:
    """Total variation: the sum over axes longer than 1 of mean |x[t + 1] − x[t]|."""

    def value(seen: Seen) -> Tensor:
        x = seen.inputs
        axes = [axis for axis in range(2, x.dim()) if x.shape[axis] > 1]
        steps = [x.diff(dim=axis).abs().flatten(1).mean(1) for axis in axes]
        return sum(steps, x.new_zeros(len(x)))

    return Objective(value, text="tv()")


def lp(p: float) -> Objective:
    """mean |x|^p: large p keeps peaks down, p = 2 the energy."""
    return Objective(lambda seen: seen.inputs.abs().pow(p).flatten(1).mean(1), text=f"lp({p:g})")


def l2() -> Objective:
    """mean x²."""
    return lp(2)


def diversity(layer: str | None = None) -> Objective:
    """How unlike its other restarts an example is: 1 − mean over the others of the cosine.

    Args:
        layer: the cosine is that of the Gram matrices of what this layer answers, which forget
            where something stands; None: of the inputs themselves.
    """

    def value(seen: Seen) -> Tensor:
        features = seen.inputs if layer is None else _gram(seen.answers[layer])
        sets = features.reshape(-1, seen.n_restarts, features[0].numel())
        normed = torch.nn.functional.normalize(sets, dim=2)
        others = (normed @ normed.mT).sum(2) - 1  # the cosine with itself
        return 1 - others.flatten() / max(seen.n_restarts - 1, 1)

    layers = frozenset() if layer is None else frozenset({layer})
    return Objective(value, layers, text=f"diversity({layer or ''})")


def _flat(place: Sequence[int], sizes: Sequence[int]) -> int:
    """Where a position stands when all axes are laid out as one."""
    flat = 0
    for i, size in zip(place, sizes, strict=True):
        flat = flat * size + i
    return flat


def _gram(answers: Tensor) -> Tensor:
    """(n_examples, n_units, n_units): which units answer together."""
    flat = answers.reshape(*answers.shape[:2], -1)
    return flat @ flat.mT


def _names(names: str | Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _text(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} … {names[-1]}"


def _layer_of(targets: Sequence[str]) -> str:
    """The one layer that all targets are units of."""
    layers = sorted({target.partition(":")[0] for target in targets})
    if len(layers) != 1:
        came = ", ".join(layers) or "none"
        raise UserError(f"targets: expected units of one layer, got {came}")
    return layers[0]
