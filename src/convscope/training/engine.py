"""How steps are executed: device, precision, where the clips lie. The one place for speed.

`fit` decides what is trained; nothing in here changes what is learned.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from convscope.data.balance import balanced_indices, class_weights
from convscope.data.dataset import Dataset
from convscope.data.decoding.spectrogram import FrontEnd, front_end
from convscope.errors import RunFailed, UserError
from convscope.models.cnn import build
from convscope.models.spec import ModelSpec
from convscope.training import seeding
from convscope.training.accumulation.heap import keep_freed_memory
from convscope.training.accumulation.memory import halved, if_it_fits
from convscope.training.accumulation.micro_batches import MicroBatches
from convscope.training.augment import augment, mixup
from convscope.training.config import TrainConfig
from convscope.training.fast.accelerated import accelerated
from convscope.training.fast.graph import StepGraph, why_no_graph
from convscope.training.fast.pooling import kernels
from convscope.training.fast.resident import Feed, Rows, taken
from convscope.training.optimizer import learning_rate, make_optimizer, moving_average
from convscope.types import Clips, Labels, Logits, Split

EVALUATION_BATCH = 256
EXPLODED = 1e3
"""A validation loss of so many times ln(n_classes), that of guessing, has exploded.

A single step may have more, and a training recover from it, as a net with 50 million dense weights
does.
"""

LOOKED_AT = 100
"""Steps between two looks at the losses, for which a GPU must be waited for."""

OnStep = Callable[[int, int, int], None]
"""Called after each step with the epoch, the number of its steps done, and of all its steps."""


@dataclass(frozen=True)
class Evaluation:
    """A net's answers: logits (n_clips, n_classes), labels (n_clips,), mean loss in nats."""

    logits: Logits
    labels: Labels
    loss: float

    @property
    def accuracy(self) -> float:
        return float((self.logits.argmax(axis=1) == self.labels).mean())


class Batch(NamedTuple):
    """A step's clips, changed and mixed, with the labels of both that each is mixed from."""

    clips: Tensor
    labels: Tensor
    partners: Tensor
    weight: Tensor


class Engine:
    """A net, its optimizer and its data on one device.

    Args:
        spec, data, config: what is trained.
        feed: of the clips of `data`, where another engine has one: they lie on the device once.
    """

    def __init__(
        self, spec: ModelSpec, data: Dataset, config: TrainConfig, feed: Feed | None = None
    ) -> None:
        self.config = config
        self.data = data
        self.device = pick_device(config.device)
        if self.device.type == "cpu":
            keep_freed_memory()
        with self._seeded(seeding.WEIGHTS):
            net = build(spec, data.config.shape, data.n_classes)
        # Channels last: 1.3 to 1.5 times as fast for 2-D nets on a CPU; 1-D nets are not touched.
        self.net: nn.Module = net.to(self.device)
        self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # unknown to its stubs
        self.forward = accelerated(self.net)
        self.front = front_end(data.config).to(self.device)
        self.optimizer = make_optimizer(self.net, config)
        self.average = moving_average(self.net, config.average)
        self.generator = torch.Generator(self.device)
        self.train_indices = self._balanced(data.indices("train"))
        self.class_weights = self._class_weights()
        self.labels = torch.tensor(data.labels, device=self.device)
        self.feed = feed or Feed(data.clips, self.device)
        self.micro_batches = MicroBatches(self.net, self.device, config, self.feed.let_go)
        self.why_no_graph = why_no_graph(spec, self.optimizer, self.device)
        self.graph = None if self.why_no_graph else self._graph()

    @property
    def execution(self) -> str:
        """How steps are executed, in a line."""
        parts = [self.device.type, self.config.precision]
        parts.append("channels last" if self.forward is not self.net else "layer by layer")
        if self.device.type == "cuda":
            why_not = self.why_no_graph or (self.graph and self.graph.why_not)
            parts.append("Triton" if kernels().module else f"no Triton ({kernels().why_not})")
            parts.append(f"no CUDA graph ({why_not})" if why_not else "CUDA graph")
        return ", ".join([*parts, str(self.feed)])

    def train_epoch(self, epoch: int, on_step: OnStep) -> dict[str, float]:
        """One pass over the training clips; `epoch` counts from 1.

        Losses stay on the device: they are looked at every `LOOKED_AT` steps, and at the end.

        Raises:
            RunFailed: for a loss that is not finite, naming epoch and step.
            NoRoom: where memory does not hold a step; see `MicroBatches`.
        """
        batches = list(self._batches(epoch))
        record = torch.zeros(len(batches), 2, device=self.device)
        self.generator.manual_seed(seeding.stream(self.config.seed, seeding.AUGMENTATION, epoch))
        self.net.train()
        with self._seeded(seeding.DROPOUT, epoch):
            for step, (clips, labels) in enumerate(self._fed(batches)):
                self._set_learning_rate(epoch - 1 + step / len(batches))
                record[step] = self._step(clips, labels)
                if self.average is not None:
                    self.average.update_parameters(self.net)
                if (step + 1) % LOOKED_AT == 0 or step + 1 == len(batches):
                    self._refuse_bad_steps(record[: step + 1], epoch, len(batches))
                on_step(epoch, step + 1, len(batches))
        losses, n_right = record.cpu().double().T
        sizes = torch.tensor([len(batch) for batch in batches])
        return {
            "train_loss": float((losses * sizes).sum() / sizes.sum()),
            "train_accuracy": float(n_right.sum() / sizes.sum()),
            "learning_rate": self._learning_rate,
        }

    def validate(self, epoch: int) -> dict[str, float]:
        """Loss and accuracy on the validation clips.

        Raises:
            RunFailed: for a loss that is not finite or has exploded, naming the epoch.
        """
        answers = self._evaluate(self.kept, "validation")
        most = EXPLODED * math.log(self.data.n_classes)
        self._refuse_explosion(answers.loss, f"the validation of epoch {epoch}", most)
        return {"validation_loss": answers.loss, "validation_accuracy": answers.accuracy}

    @property
    def kept(self) -> nn.Module:
        """What is validated and kept: the net, or the moving average of its weights."""
        return self.net if self.average is None else self.average.module

    def evaluate(self, split: Split) -> Evaluation:
        """The net's answers on the clips of a split, in evaluation mode."""
        return self._evaluate(self.net, split)

    def _evaluate(self, net: nn.Module, split: Split) -> Evaluation:
        indices = self.data.indices(split)
        with self._precision():
            logits = logits_of(net, self.front, self.feed, indices)
        labels = self.data.labels[indices]
        loss = F.cross_entropy(torch.from_numpy(logits).double(), torch.from_numpy(labels))
        return Evaluation(logits, labels, float(loss))

    def _step(self, clips: Tensor, labels: Tensor) -> Tensor:
        """One gradient step on stored clips: the mean loss and how many were right, (2,)."""
        whole = len(labels) == self.config.batch_size and self.micro_batches.at_most is None
        if self.graph is not None and whole:
            return self.graph(clips, labels)
        return self._step_in_pieces(clips, labels)

    def _step_in_pieces(self, clips: Tensor, labels: Tensor) -> Tensor:
        batch = self._batch(clips, labels)
        parts = self.micro_batches.each(len(labels), partial(self._backward, batch))
        self.optimizer.step()
        return torch.stack(parts).sum(0)

    def _step_undivided(self, clips: Tensor, labels: Tensor) -> Tensor:
        """The same, without a look at memory or at the state of random numbers."""
        self.net.zero_grad(set_to_none=True)
        answer = self._backward(self._batch(clips, labels), slice(0, len(labels)))
        self.optimizer.step()
        return answer

    def _graph(self) -> StepGraph:
        return StepGraph(self._step_in_pieces, self._step_undivided, self.optimizer, self.generator)

    def _fed(self, batches: Sequence[Rows]) -> Iterator[tuple[Tensor, Tensor]]:
        """Stored clips and labels of one batch after the other, on the device."""
        order = torch.from_numpy(np.concatenate(batches)).to(self.device)
        labels = self.labels[order].split([len(rows) for rows in batches])
        return zip(self.feed.each(batches), labels, strict=True)

    def _batch(self, stored: Tensor, labels: Tensor) -> Batch:
        clips = self.front.scale(stored)
        clips = augment(clips, self.config.augment, self.generator, self._rate_hz)
        clips, partner, weight = mixup(clips, self.config.augment, self.generator)
        return Batch(clips, labels, labels[partner], weight)

    def _backward(self, batch: Batch, rows: slice) -> Tensor:
        """Add the gradient of some rows; their part of the mean loss, how many they had right."""
        with self._precision():
            logits = self.forward(self.front(batch.clips[rows]))
        loss = self._loss(logits, batch.labels, rows)
        if self.config.augment.mixup:
            other = self._loss(logits, batch.partners, rows)
            loss = batch.weight * loss + (1 - batch.weight) * other
        loss.backward()
        n_right = (logits.argmax(1) == batch.labels[rows]).sum()
        return torch.stack([loss.detach(), n_right.to(loss.dtype)])

    def _loss(self, logits: Tensor, labels: Tensor, rows: slice) -> Tensor:
        """What some rows add to the mean loss over all labels: over all pieces, that mean."""
        mean = F.cross_entropy(
            logits.to(torch.promote_types(logits.dtype, torch.float32)),
            labels[rows],
            weight=self.class_weights,
            label_smoothing=self.config.label_smoothing,
        )
        if len(logits) == len(labels):
            return mean
        return mean * (self._weight(labels[rows]) / self._weight(labels))

    def _weight(self, labels: Tensor) -> Tensor | int:
        """By how much clips count in a mean over them."""
        return len(labels) if self.class_weights is None else self.class_weights[labels].sum()

    def _batches(self, epoch: int) -> Iterator[Rows]:
        """The training clips in this epoch's order; a last batch that is cut to one is left out.

        Batch norm has no variance to learn from a single clip.
        """
        rng = np.random.default_rng(seeding.stream(self.config.seed, seeding.ORDER, epoch))
        order = rng.permutation(self.train_indices)
        size = self.config.batch_size
        for start in range(0, len(order), size):
            batch = order[start : start + size]
            if len(batch) > 1 or start == 0 or size == 1:
                yield batch

    def _balanced(self, indices: Rows) -> Rows:
        rng = np.random.default_rng(seeding.stream(self.config.seed, seeding.BALANCE))
        return indices[balanced_indices(self.data.labels[indices], self.data.config.balance, rng)]

    def _class_weights(self) -> Tensor | None:
        if self.data.config.balance != "weights":
            return None
        labels = self.data.labels[self.train_indices]
        weights = class_weights(labels, self.data.n_classes)
        return torch.from_numpy(weights).to(self.device)

    def _set_learning_rate(self, epochs_done: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.config, epochs_done)

    @property
    def _learning_rate(self) -> float:
        return float(self.optimizer.param_groups[0]["lr"])

    def _refuse_bad_steps(self, record: Tensor, epoch: int, n_steps: int) -> None:
        """Raise for the first step of an epoch whose loss is not finite."""
        losses = record[:, 0].cpu()
        for step in torch.nonzero(~losses.isfinite()).flatten().tolist():
            self._set_learning_rate(epoch - 1 + step / n_steps)
            where = f"epoch {epoch}, step {step + 1}"
            self._refuse_explosion(float(losses[step]), where, math.inf)

    def _refuse_explosion(self, loss: float, where: str, most: float) -> None:
        if not math.isfinite(loss) or loss > most:
            raise RunFailed(
                f"the loss became {loss:.4g} at {where}, learning rate {self._learning_rate:.3g}: "
                "try a smaller train.learning_rate; the last good epoch is kept"
            )

    def _seeded(self, purpose: int, epoch: int = 0) -> AbstractContextManager[None]:
        seed = seeding.stream(self.config.seed, purpose, epoch)
        return seeding.global_seed(seed, self.device)

    def _precision(self) -> AbstractContextManager[None]:
        enabled = self.config.precision == "bf16"
        return torch.autocast(self.device.type, torch.bfloat16, enabled=enabled)

    @property
    def _rate_hz(self) -> int | None:
        return getattr(self.data.config, "rate_hz", None)


@torch.inference_mode()
def logits_of(net: nn.Module, front: FrontEnd, clips: Clips | Feed, indices: Rows) -> Logits:
    """Logits (n_clips, n_classes) of `clips[indices]`, float32, with `net` in evaluation mode.

    Raises:
        NoRoom: where memory does not hold the answer to one clip.
    """
    net.eval()
    device = next(net.parameters()).device
    take = clips.take if isinstance(clips, Feed) else partial(taken, clips, device)
    forward = accelerated(net)

    def answers(rows: Rows) -> Tensor:
        return forward(front(front.scale(take(rows)))).float()

    parts, done, size = [], 0, EVALUATION_BATCH
    while done < len(indices):
        rows = indices[done : done + size]
        part = if_it_fits(partial(answers, rows))
        if part is None:
            size = halved(len(rows), device)
        else:
            parts.append(part)
            done += len(rows)
    logits: Logits = torch.cat(parts).cpu().numpy()
    return logits


def pick_device(name: str) -> torch.device:
    """The device that a recipe asks for; `auto` is a GPU where there is one.

    Raises:
        UserError: for a device that this machine lacks.
    """
    present = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if name == "auto":
        name = "cuda" if present["cuda"] else "cpu"
    if not present[name]:
        raise UserError(
            f"train.device={name}: torch finds no {name} device here; use train.device=cpu, or see "
            "convscope doctor"
        )
    return torch.device(name)
