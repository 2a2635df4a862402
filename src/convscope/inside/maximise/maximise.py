"""Activation maximisation: the input that drives a unit, a channel, a layer or a class most.

    x ← tidy(x + η √n g / ‖g‖₂),   g = ∂a/∂x

with n numbers in an input, so that a step moves each of them by η in the root mean square. Instead
of x itself a spectrum or a prior's code may be what is moved; `tidy` bounds, blurs and decays.

Source: D. Erhan, Y. Bengio, A. Courville, P. Vincent, Visualizing Higher-Layer Features of a Deep
Network (2009); K. Simonyan, A. Vedaldi, A. Zisserman (2014) for the logit instead of the softmax.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.inside.maximise.objectives import Objective, Seen
from convscope.inside.maximise.parametrise import Parametrisation, Samples, Tidy, blurred, box
from convscope.inside.tracing.backward import sent_back
from convscope.inside.tracing.layers import Layer, layer_named, layers_of
from convscope.inside.tracing.partial import answers_of
from convscope.inside.tracing.target import number_of
from convscope.inside.tracing.untouched import untouched
from convscope.types import Shape

Progress = Callable[[int, int], None]
"""Is called with the number of steps done and of all."""


WITHIN_FULL_SCALE = box(-1, 1)


@dataclass(frozen=True)
class Ascent:
    """How the input climbs.

    Attributes:
        steps: how many.
        rate: η, by how much a step moves each number of the input, in the root mean square.
        bound: what inputs are held to after each step; None: nothing.
        jitter: inputs are shifted around by up to this many samples a step, the same for all.
        blur_every: steps from one blur to the next; 0: never.
        blur: standard deviation of that blur, in samples.
        decay: L2 decay, the share of their distance to `middle` that inputs lose at each step.
        middle: what decay pulls to: 0 for sound, a grey for images.
    """

    steps: int = 128
    rate: float = 0.05
    bound: Tidy | None = WITHIN_FULL_SCALE
    jitter: int = 0
    blur_every: int = 0
    blur: float = 1.0
    decay: float = 0.0
    middle: float = 0.0

    def tidy(self, inputs: Tensor, step: int) -> Tensor:
        """Inputs as they are held after a step, counted from 1."""
        inputs = self.middle + (1 - self.decay) * (inputs - self.middle)
        if self.blur_every and step % self.blur_every == 0:
            inputs = blurred(inputs, self.blur)
        return inputs if self.bound is None else self.bound(inputs)


@dataclass(frozen=True)
class Maximised:
    """Inputs that drive their targets.

    Attributes:
        inputs: (n_examples, *shape), n_restarts of each target in a row.
        targets: (n_examples,) their units; empty text where the objective has none.
        values: (n_examples,) of the objective at the end, without jitter.
        trace: (steps + 1, n_examples) of the objective, the start and then each step.
        logits: (steps + 1, n_examples) where the targets are classes: their logits; else None.
        log_probabilities: the same under the softmax, minus the cross-entropy; else None.
    """

    inputs: NDArray[np.float32]
    targets: tuple[str, ...]
    values: NDArray[np.float32]
    trace: NDArray[np.float32]
    logits: NDArray[np.float32] | None = None
    log_probabilities: NDArray[np.float32] | None = None


def maximise(
    model: nn.Module,
    objective: Objective,
    shape: Shape,
    *,
    ascent: Ascent | None = None,
    parametrisation: Parametrisation | None = None,
    n_restarts: int = 1,
    seed: int = 0,
    layers: Mapping[str, Layer] | None = None,
    classes: Sequence[str] = (),
    progress: Progress | None = None,
) -> Maximised:
    """Inputs that drive an objective, all its targets and restarts as one batch.

    Args:
        model: any module; it is left as it was found.
        objective: such as `unit("conv3:17") - 0.1 * tv()`.
        shape: of one input, channels first.
        ascent: the steps; None: `Ascent()`.
        parametrisation: what is moved; None: the samples themselves.
        n_restarts: random starts of each target.
        seed: of the starts and the jitter.
        layers: of the model, where they are known: then the shape may be smaller than the model's
            own, for layers that do not mind.
        classes: names of the logits, for `logits:NAME`.
        progress: called after each step.

    Raises:
        UserError: for a layer, unit or class that the net does not have, or a failing forward.
    """
    number = number_of(model)
    if layers is None:
        layers = layers_of(model, number.new_zeros(1, *shape))
    climb = _Climb(model, objective, layers, classes, n_restarts, ascent or Ascent())
    way = parametrisation or Samples(shape)
    generator = torch.Generator().manual_seed(seed)
    n_examples = max(len(objective.targets), 1) * n_restarts
    with untouched(model):
        code = way.start(n_examples, generator).to(number.device)
        for step in range(1, climb.ascent.steps + 1):
            code = climb.step(way, code, step, generator)
            if progress is not None:
                progress(step, climb.ascent.steps)
        with torch.no_grad():
            inputs = way.decode(code)
            climb.value(inputs, (0,) * (inputs.dim() - 2))
    return climb.result(inputs)


class _Climb:
    """One ascent, and what it met on its way."""

    def __init__(
        self,
        model: nn.Module,
        objective: Objective,
        layers: Mapping[str, Layer],
        classes: Sequence[str],
        n_restarts: int,
        ascent: Ascent,
    ) -> None:
        self._model, self._objective, self.ascent = model, objective, ascent
        self._dtype = number_of(model).dtype
        self._layers, self._classes, self._n_restarts = layers, classes, n_restarts
        self._wanted = {name: layer_named(layers, name) for name in sorted(objective.layers)}
        self._is_class = all(target.startswith("logits:") for target in objective.targets)
        self._is_class &= bool(objective.targets)
        self._trace: list[Tensor] = []
        self._logits: list[Tensor] = []
        self._log_probabilities: list[Tensor] = []

    def step(
        self, way: Parametrisation, code: Tensor, step: int, generator: torch.Generator
    ) -> Tensor:
        """The code after a step."""
        code = code.detach().requires_grad_()
        with torch.enable_grad():
            inputs = way.decode(code)
            value = self.value(inputs, self._shifts(inputs, generator))
            gradient = sent_back(self._model, value.sum(), code)
        with torch.no_grad():
            code = code + self.ascent.rate * of_unit_rms(gradient)
            return way.tidied(code, lambda inputs: self.ascent.tidy(inputs, step))

    def value(self, inputs: Tensor, shifts: Sequence[int]) -> Tensor:
        """(n_examples,) of the objective, kept in the traces."""
        moved = inputs.roll(list(shifts), list(range(2, inputs.dim()))) if any(shifts) else inputs
        moved = moved.to(self._dtype)  # codes keep the precision of their own, for FFT and priors
        answers = answers_of(self._model, moved, self._wanted) if self._wanted else {}
        seen = Seen(inputs, answers, self._layers, self._classes, self._n_restarts)
        value = self._objective.value(seen).expand(len(inputs))
        self._trace.append(value.detach())
        if self._is_class:
            self._keep_class(seen)
        return value

    def _keep_class(self, seen: Seen) -> None:
        rows = torch.arange(len(seen.inputs))
        logits, units = seen.answers["logits"].detach(), seen.indices(self._objective.targets)
        self._logits.append(logits[rows, units])
        self._log_probabilities.append(logits.log_softmax(1)[rows, units])

    def _shifts(self, inputs: Tensor, generator: torch.Generator) -> list[int]:
        most = self.ascent.jitter
        shape = (inputs.dim() - 2,)
        return torch.randint(-most, most + 1, shape, generator=generator).tolist()

    def result(self, inputs: Tensor) -> Maximised:
        """What came of it."""
        targets = self._objective.targets or ("",)
        return Maximised(
            inputs=inputs.float().cpu().numpy(),
            targets=tuple(target for target in targets for _ in range(self._n_restarts)),
            values=self._trace[-1].float().cpu().numpy(),
            trace=_stacked(self._trace),
            logits=_stacked(self._logits) if self._is_class else None,
            log_probabilities=_stacked(self._log_probabilities) if self._is_class else None,
        )


def of_unit_rms(gradient: Tensor) -> Tensor:
    """√n g / ‖g‖₂ for each example; 0 where the gradient is 0."""
    rms = gradient.flatten(1).square().mean(1).sqrt()
    return gradient / rms.clamp_min(1e-30).view(-1, *[1] * (gradient.dim() - 1))


def _stacked(rows: Sequence[Tensor]) -> NDArray[np.float32]:
    return torch.stack(list(rows)).float().cpu().numpy()
