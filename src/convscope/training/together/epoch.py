"""An epoch of several cells of one architecture at once, in one process.

A small net does not fill a GPU: a step takes as long as its kernels take to be started. Here one
step is a step of every cell: their weights lie side by side, `torch.func.vmap` runs the net over
them, and the sum of the cells' losses has as its gradient that of each cell by its own weights,

    ∂(Σ_j loss_j) / ∂θ_i = ∂loss_i / ∂θ_i.

Each cell has its own seed, order of clips, augmentation, dropout rate and masks, label smoothing,
learning rate and decay. It is the same training as alone, but for the order of summation.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.func import functional_call, vmap
from torch.nn import functional as F

from convscope.errors import RunFailed
from convscope.training import seeding
from convscope.training.engine import Engine
from convscope.training.optimizer import learning_rate
from convscope.training.together.autocast import Autocast
from convscope.training.together.batches import JointBatch, JointBatches
from convscope.training.together.random_numbers import (
    Places,
    Stream,
    places,
    random_numbers,
    without_drawing,
)
from convscope.training.together.stack import Stack

Row = dict[str, float]


class JointEpoch:
    """An epoch of several engines, which need not be the same epoch for each.

    Args:
        engines: on cells of one `likeness`, and the same data.
        epochs: the number of the epoch to come, for each.
    """

    def __init__(self, engines: Sequence[Engine], epochs: Sequence[int]) -> None:
        self._engines, self._epochs = engines, epochs
        for each in engines:
            each.net.train()  # its dropout draws
        self._first = first = engines[0]
        self._batches = JointBatches(engines, epochs)
        self._net = without_drawing(first.net)
        self._stack = Stack(engines)
        self._parameters = self._stack.parameters()
        self._places: dict[int, Places] = {}
        seeds = [
            seeding.stream(each.config.seed, seeding.DROPOUT, epoch)
            for each, epoch in zip(engines, epochs, strict=True)
        ]
        self._streams = [Stream(seed, first.device) for seed in seeds]
        smoothing = [each.config.label_smoothing for each in engines]
        self._smoothing = torch.tensor(smoothing, dtype=torch.float64) if any(smoothing) else None

    def train(self, on_step: Callable[[int, int], None]) -> list[Row | RunFailed]:
        """Make the epoch; for each engine what its `train_epoch` would give, or raise.

        Nothing is read from the device before the end, and nothing changes in an engine until then.

        Args:
            on_step: called after each step with the number of those done, and of all.
        """
        n_steps, n_cells, device = len(self._batches), len(self._engines), self._first.device
        losses = torch.zeros((n_steps, n_cells), dtype=torch.float64, device=device)
        right = torch.zeros(n_cells, dtype=torch.int64, device=device)
        rates = self._rates(n_steps)
        coefficients = self._stack.coefficients(rates)
        with self._first._seeded(seeding.DROPOUT):  # so that torch's own numbers are put back
            for step, batch in enumerate(self._batches):
                losses[step], hits = self._step(batch, coefficients[step])
                right += hits
                on_step(step + 1, n_steps)
        self._stack.put_back()
        return self._rows(losses.cpu(), right.tolist(), rates)

    def gradients(self, batch: JointBatch) -> tuple[tuple[Tensor, ...], Tensor, Tensor]:
        """Of each parameter (n_cells, *shape); each cell's loss, and how many it had right."""
        numbers = self._draw(batch.clips)
        buffers = {**self._stack.buffers, **numbers}
        with self._precision():
            logits = vmap(self._answer)(self._parameters, buffers, batch.clips)
        losses = self._losses(logits.to(torch.promote_types(logits.dtype, torch.float32)), batch)
        gradients = torch.autograd.grad(losses.sum(), list(self._parameters.values()))
        return gradients, losses.detach(), (logits.argmax(2) == batch.labels).sum(1)

    def _step(self, batch: JointBatch, coefficients: Tensor) -> tuple[Tensor, Tensor]:
        gradients, losses, hits = self.gradients(batch)
        self._stack.step(gradients, coefficients)
        return losses, hits

    def _answer(
        self, parameters: dict[str, Tensor], buffers: dict[str, Tensor], clips: Tensor
    ) -> Tensor:
        logits: Tensor = functional_call(self._net, (parameters, buffers), (clips,))
        return logits

    def _draw(self, clips: Tensor) -> dict[str, Tensor]:
        """What each cell's net would draw for its clips, by the names of the net's buffers."""
        there = self._places.get(clips.shape[1])
        if there is None:
            with self._first._precision():
                there = places(self._first.net, clips[0])
            self._places[clips.shape[1]] = there
        of_cells = []
        for engine, stream in zip(self._engines, self._streams, strict=True):
            with stream.active():
                of_cells.append(random_numbers(engine.net, there))
        layers = zip(there, zip(*of_cells, strict=True), strict=True) if there else ()
        return {f"{name}.numbers": torch.stack(of_layer) for name, of_layer in layers}

    def _losses(self, logits: Tensor, batch: JointBatch) -> Tensor:
        """(n_cells,) mean losses."""
        losses = self._smoothed(logits, batch.labels)
        if batch.weight is None:
            return losses
        others = self._smoothed(logits, batch.partners)
        return batch.weight * losses + (1 - batch.weight) * others

    def _smoothed(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss is linear in the share by which labels are smoothed."""
        sharp = self._cross_entropy(logits, labels, 0.0)
        if self._smoothing is None:
            return sharp
        even = self._cross_entropy(logits, labels, 1.0)
        return torch.lerp(sharp, even, self._smoothing.to(sharp))

    def _cross_entropy(self, logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
        weights = self._first.class_weights
        flat = F.cross_entropy(
            logits.flatten(0, 1),
            labels.flatten(),
            weight=weights,
            label_smoothing=smoothing,
            reduction="none",
        )
        losses: Tensor = flat.unflatten(0, labels.shape)
        return losses.mean(1) if weights is None else losses.sum(1) / weights[labels].sum(1)

    def _rates(self, n_steps: int) -> NDArray[np.float64]:
        """(n_steps, n_cells) learning rates."""
        cells = list(zip(self._engines, self._epochs, strict=True))
        return np.array(
            [
                [learning_rate(each.config, epoch - 1 + step / n_steps) for each, epoch in cells]
                for step in range(n_steps)
            ]
        )

    def _rows(
        self, losses: Tensor, right: list[int], rates: NDArray[np.float64]
    ) -> list[Row | RunFailed]:
        sizes = self._batches.sizes
        means = ((losses * sizes[:, None]).sum(0) / sizes.sum()).tolist()
        return [
            self._explosion(i, losses)
            or {
                "train_loss": means[i],
                "train_accuracy": right[i] / int(sizes.sum()),
                "learning_rate": float(rates[-1, i]),
            }
            for i in range(len(self._engines))
        ]

    def _explosion(self, i: int, losses: Tensor) -> RunFailed | None:
        """What is raised alone for these losses; the learning rate becomes that of the step."""
        engine, n_steps = self._engines[i], len(losses)
        try:
            engine._refuse_bad_steps(losses[:, i : i + 1], self._epochs[i], n_steps)
        except RunFailed as error:
            return error
        engine._set_learning_rate(self._epochs[i] - 1 + (n_steps - 1) / n_steps)
        return None

    def _precision(self) -> AbstractContextManager[object]:
        return Autocast() if self._first.config.precision == "bf16" else nullcontext()
