"""The weights, batch statistics and optimizers of several nets of one shape, side by side."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convscope.training.engine import Engine

MOMENTS = {"adam": ("exp_avg", "exp_avg_sq"), "adamw": ("exp_avg", "exp_avg_sq")}
SGD_MOMENTS = ("momentum_buffer",)
"""What torch's optimizers remember for each weight, by their own names."""


class Stack:
    """What several engines have of each kind, in one tensor: weights are (n_cells, n_weights).

    It is filled from the engines, changes while they are trained together, and is put back into
    them by `put_back`: so an engine can be validated, kept and go on as one that is trained alone.
    """

    def __init__(self, engines: Sequence[Engine]) -> None:
        self._engines = engines
        config = engines[0].config
        self._kind = config.optimizer
        self._momentum = config.momentum
        self._names = MOMENTS.get(self._kind, SGD_MOMENTS)
        self._shapes = {name: p.shape for name, p in engines[0].net.named_parameters()}
        self.weights = torch.stack([_flat(_parameters(each)) for each in engines])
        self.moments = [
            torch.stack([_moment(each, name) for each in engines]) for name in self._names
        ]
        self.buffers = self._stacked_buffers()
        self.steps = [_steps(each) for each in engines]
        self._decay = torch.stack([_decay(each) for each in engines])

    def parameters(self) -> dict[str, Tensor]:
        """Views of the weights, (n_cells, *shape) each, that gather gradients."""
        sizes = [shape.numel() for shape in self._shapes.values()]
        parts = self.weights.detach().split(sizes, dim=1)
        named = zip(self._shapes.items(), parts, strict=True)
        return {
            name: part.unflatten(1, shape or (1,)).requires_grad_() for (name, shape), part in named
        }

    def coefficients(self, rates: NDArray[np.float64]) -> Tensor:
        """What the optimizer multiplies with in each step to come, (n_steps, 3, n_cells, 1).

        The learning rate lr; for Adam lr / (1 − β₁ᵗ) and 1 / √(1 − β₂ᵗ), for SGD lr and 1.

        Args:
            rates: (n_steps, n_cells) learning rates.
        """
        first, second = rates, np.ones_like(rates)
        if self._kind != "sgd":
            one, other = self._betas
            t = np.array(self.steps) + np.arange(1, len(rates) + 1)[:, None]
            first, second = rates / (1 - one**t), 1 / np.sqrt(1 - other**t)
        columns = torch.from_numpy(np.stack([rates, first, second], axis=1)[..., None])
        return columns.to(self.weights.dtype).to(self.weights.device)

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor], coefficients: Tensor) -> None:
        """One step of each cell's optimizer.

        Args:
            gradients: (n_cells, *shape) of each of `parameters`.
            coefficients: (3, n_cells, 1) of this step.
        """
        gradient = torch.cat([each.flatten(1) for each in gradients], dim=1)
        rate, first, second = coefficients
        if self._kind == "adamw":
            self.weights.mul_(1 - rate * self._decay)
        else:
            gradient.addcmul_(self._decay, self.weights)
        self._descend(gradient, first, second)
        self.steps = [done + 1 for done in self.steps]

    @torch.no_grad()
    def put_back(self) -> None:
        """Write everything into the engines."""
        for i, engine in enumerate(self._engines):
            self._put_moments(i, engine)
            for p, row in zip(_parameters(engine), self._rows(self.weights[i]), strict=True):
                p.copy_(row)
            for name, buffer in engine.net.named_buffers():
                buffer.copy_(self.buffers[name][i])

    def _descend(self, gradient: Tensor, rate: Tensor, scale: Tensor) -> None:
        if self._kind == "sgd":
            self.weights.sub_(rate * self.moments[0].mul_(self._momentum).add_(gradient))
            return
        (mean, square), (one, other) = self.moments, self._betas
        mean.lerp_(gradient, 1 - one)
        square.mul_(other).addcmul_(gradient, gradient, value=1 - other)
        self.weights.sub_(rate * mean / (square.sqrt() * scale + self._epsilon))

    def _put_moments(self, i: int, engine: Engine) -> None:
        rows = [self._rows(moment[i]) for moment in self.moments]
        for j, p in enumerate(_parameters(engine)):
            state = engine.optimizer.state[p]
            for name, row in zip(self._names, rows, strict=True):
                # In place where it can be: a CUDA graph of this engine's steps reads it there.
                known = state.get(name)
                state[name] = (torch.empty_like(p) if known is None else known).copy_(row[j])
            if self._kind != "sgd":
                state.setdefault("step", torch.zeros((), device=p.device)).fill_(self.steps[i])

    def _rows(self, flat: Tensor) -> list[Tensor]:
        """(n_weights,) of one cell, as its parameters are shaped."""
        parts = flat.split([shape.numel() for shape in self._shapes.values()])
        return [p.view(shape) for p, shape in zip(parts, self._shapes.values(), strict=True)]

    def _stacked_buffers(self) -> dict[str, Tensor]:
        nets = [dict(each.net.named_buffers()) for each in self._engines]
        return {name: torch.stack([net[name] for net in nets]).contiguous() for name in nets[0]}

    @property
    def _betas(self) -> tuple[float, float]:
        one, other = self._engines[0].optimizer.defaults["betas"]
        return one, other

    @property
    def _epsilon(self) -> float:
        return float(self._engines[0].optimizer.defaults["eps"])


def _parameters(engine: Engine) -> list[Tensor]:
    return list(engine.net.parameters())


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([each.detach().flatten() for each in tensors])


def _moment(engine: Engine, name: str) -> Tensor:
    """(n_weights,) what an engine's optimizer remembers; zeros before its first step."""
    state = engine.optimizer.state
    known = [(state[p].get(name) if p in state else None, p) for p in _parameters(engine)]
    return _flat([torch.zeros_like(p) if value is None else value for value, p in known])


def _steps(engine: Engine) -> int:
    states = engine.optimizer.state.values()
    return max((int(state.get("step", 0)) for state in states), default=0)


def _decay(engine: Engine) -> Tensor:
    """(n_weights,) by how much each decays, as the optimizer's groups have it."""
    groups = engine.optimizer.param_groups
    of = {p: group["weight_decay"] for group in groups for p in group["params"]}
    return _flat([torch.full_like(p, of[p]) for p in _parameters(engine)])
