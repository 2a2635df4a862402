"""Random numbers of a net that are drawn outside of it, so that several nets can be one.

`torch.func.vmap` has no rule for torch's random ReLU, and would draw one stream for all cells. So
each cell's numbers are drawn in its own stream, with the operations, shapes and memory orders of
its own net, and handed to a net that only uses them: the same numbers as alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import TypeAlias

import torch
from torch import Tensor, nn

from convscope.models.modules import RReLU

DRAWING = (nn.Dropout, nn.Dropout1d, RReLU)
"""The modules of this package's nets that draw while they train."""

Places: TypeAlias = dict[str, Tensor]
"""For the name of each drawing module, in the order in which they draw: ones, in shape, type and
memory order what came into it."""


class Stream:
    """One cell's place in torch's global random numbers, while others draw from theirs."""

    def __init__(self, seed: int, device: torch.device) -> None:
        self._generators = [torch.default_generator]
        if device.type == "cuda":
            index = torch.cuda.current_device() if device.index is None else device.index
            self._generators.append(torch.cuda.default_generators[index])
        self._states = [
            torch.Generator(each.device).manual_seed(seed).get_state() for each in self._generators
        ]

    @contextmanager
    def active(self) -> Iterator[None]:
        """Torch draws from this stream, and goes on in it when it is active again."""
        for generator, state in zip(self._generators, self._states, strict=True):
            generator.set_state(state)
        yield
        self._states = [each.get_state() for each in self._generators]


class Multiplied(nn.Module):
    """x · numbers: dropout whose mask was drawn before."""

    numbers: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("numbers", torch.empty(0))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.numbers


class Sloped(Multiplied):
    """x where x > 0, else numbers · x: a random ReLU whose slopes were drawn before."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.where(x > 0, torch.ones_like(self.numbers), self.numbers)


def without_drawing(net: nn.Module) -> nn.Module:
    """A copy of a net, whose drawing modules use the buffer `numbers` of theirs instead."""
    copy = deepcopy(net)
    for name, module in list(copy.named_modules()):
        if isinstance(module, DRAWING):
            stand_in = Sloped() if isinstance(module, RReLU) else Multiplied()
            copy.set_submodule(name, stand_in)
    return copy.train()


@torch.no_grad()
def places(net: nn.Module, clips: Tensor) -> Places:
    """Where a net draws for a batch like `clips`, by running a copy of it."""
    copy = deepcopy(net).train()
    found: Places = {}

    def note(name: str) -> object:
        def hook(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            found[name] = torch.ones_like(inputs[0])

        return hook

    for name, module in copy.named_modules():
        if isinstance(module, DRAWING):
            module.register_forward_pre_hook(note(name))  # type: ignore[arg-type]
    copy(clips)
    return found


def random_numbers(net: nn.Module, there: Places) -> list[Tensor]:
    """The numbers of one step, drawn as `net` would: dropout masks over 1 − rate, and slopes."""
    return [_drawn(net.get_submodule(name), ones) for name, ones in there.items()]


@torch.no_grad()
def _drawn(module: nn.Module, ones: Tensor) -> Tensor:
    """The module draws them itself, in its own way: of −1 a random ReLU makes −slope."""
    numbers: Tensor = -module(-ones) if isinstance(module, RReLU) else module(ones)
    return numbers
