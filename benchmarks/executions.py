"""Ways to execute a training step: simple ones, as tutorials and good advice have them, and ours.

A simple one steps again and again over one batch that is on the device already; ours is the whole
epoch of `Engine`, with its order, its gathering of clips and its metrics.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

import torch
from cases import noise
from measure import Meter
from torch import Tensor, nn
from torch.nn import functional as F

from convscope.data.decoding.spectrogram import front_end
from convscope.models.cnn import build
from convscope.training.accumulation.memory import peak_memory, reset_peak
from convscope.training.cell import Cell
from convscope.training.engine import Engine, pick_device


@dataclass(frozen=True)
class Execution:
    """One simple way. Channels last, a 1-D net runs as a 2-D one of height 1."""

    bf16: bool = False
    tf32: bool = False
    channels_last: bool = False
    compiled: bool = False


EXECUTIONS = {
    "fp32": Execution(),
    "fp32 channels last": Execution(channels_last=True),
    "TF32": Execution(tf32=True),
    "bf16": Execution(bf16=True),
    "bf16 channels last": Execution(bf16=True, channels_last=True),
    "bf16 compiled": Execution(bf16=True, channels_last=True, compiled=True),
}
ON_CPU = ("fp32", "fp32 channels last")
OURS = "ours"


@dataclass(frozen=True)
class Speed:
    """Clips a second of whole training steps and of answers, and the most memory that was held."""

    training: float
    answering: float | None
    peak_bytes: int | None


class Plain:
    """A training loop as a tutorial has it, in one of the simple executions."""

    def __init__(self, cell: Cell, execution: Execution, device: torch.device) -> None:
        torch.backends.cuda.matmul.allow_tf32 = execution.tf32
        torch.backends.cudnn.allow_tf32 = execution.tf32
        torch.manual_seed(cell.train.seed)
        net = build(cell.model, cell.data.shape, len(cell.data.names or ()))
        net = (lifted(net) if execution.channels_last else net).to(device)
        self.front = front_end(cell.data).to(device)
        self.optimizer = torch.optim.Adam(net.parameters(), cell.train.learning_rate)
        self.net: Callable[[Tensor], Tensor] = torch.compile(net) if execution.compiled else net
        self.module = net
        self.autocast = torch.autocast(device.type, torch.bfloat16, enabled=execution.bf16)

    def step(self, clips: Tensor, labels: Tensor) -> Tensor:
        """One gradient step on stored clips; their mean loss."""
        self.module.train()
        self.optimizer.zero_grad(set_to_none=True)
        with self.autocast:
            logits = self.net(self.front(self.front.scale(clips)))
        loss = F.cross_entropy(logits.float(), labels)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    @torch.no_grad()
    def answers(self, clips: Tensor) -> Tensor:
        """Logits of stored clips, in evaluation mode."""
        self.module.eval()
        return self.net(self.front(self.front.scale(clips))).float()


def plain_speed(cell: Cell, name: str, meter: Meter) -> Speed:
    """Of a simple execution, on one batch that lies on the device."""
    meter.begin()
    device = pick_device(cell.train.device)
    data, size = noise(cell, cell.train.batch_size), cell.train.batch_size
    clips = torch.from_numpy(data.clips[:size].copy()).to(device)
    labels = torch.from_numpy(data.labels[:size]).to(device)
    reset_peak(device)
    plain = Plain(cell, EXECUTIONS[name], device)
    n_steps = 10 if device.type == "cuda" else 1

    def run() -> int:
        for _ in range(n_steps):
            plain.step(clips, labels)
        return n_steps * size

    return Speed(meter.clips_per_second(run), None, peak_memory(device))


def our_speed(cell: Cell, n_steps: int, meter: Meter, answering: bool = False) -> Speed:
    """Of `Engine` as it is, in epochs of so many steps, and of its answers where they are asked."""
    meter.begin()
    device = pick_device(cell.train.device)
    reset_peak(device)
    n_clips = n_steps * cell.train.batch_size
    data = noise(cell, n_clips, n_clips if answering else 2)
    engine = Engine(cell.model, data, cell.train)
    epochs = count(1)

    def train() -> int:
        engine.train_epoch(next(epochs), lambda *_: None)
        return n_clips

    def answer() -> int:
        engine.evaluate("validation")
        return n_clips

    training, peak = meter.clips_per_second(train), peak_memory(device)
    return Speed(training, meter.clips_per_second(answer) if answering else None, peak)


def lifted(net: nn.Module) -> nn.Module:
    """A net with the same weights that runs channels last; a 1-D one as a 2-D one of height 1.

    Raises:
        ValueError: for a net with a layer that has no simple counterpart.
    """
    if not any(isinstance(module, nn.Conv1d) for module in net.modules()):
        return _channels_last(net)
    layers = [_lifted(layer) for layer in net.children()]
    return _channels_last(nn.Sequential(nn.Unflatten(1, (1, 1)), _Swapped(), *layers))


def _channels_last(net: nn.Module) -> nn.Module:
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # unknown to its stubs
    return net


class _Swapped(nn.Module):
    """(n_clips, 1, 1, n_times), in the memory format of what follows."""

    def forward(self, clips: Tensor) -> Tensor:
        return clips.contiguous(memory_format=torch.channels_last)


def _lifted(layer: nn.Module) -> nn.Module:
    match layer:
        case nn.Conv1d():
            padding = layer.padding if isinstance(layer.padding, str) else (0, layer.padding[0])
            size, stride = (1, layer.kernel_size[0]), (1, layer.stride[0])
            conv = nn.Conv2d(layer.in_channels, layer.out_channels, size, stride, padding)
            conv.load_state_dict({k: v.unsqueeze(2) if v.ndim > 1 else v for k, v in _state(layer)})
            return conv
        case nn.BatchNorm1d():
            return nn.BatchNorm2d(layer.num_features)
        case nn.MaxPool1d():
            assert isinstance(layer.kernel_size, int)
            assert isinstance(layer.padding, tuple)
            window = (1, layer.kernel_size)
            return nn.MaxPool2d(window, window, (0, *layer.padding), ceil_mode=layer.ceil_mode)
        case nn.Flatten() | nn.Linear() | nn.Dropout() | nn.Dropout1d() | nn.ReLU() | nn.Tanh():
            return layer
    raise ValueError(f"a {type(layer).__name__} has no simple counterpart channels last")


def _state(layer: nn.Module) -> list[tuple[str, Tensor]]:
    return list(layer.state_dict().items())
