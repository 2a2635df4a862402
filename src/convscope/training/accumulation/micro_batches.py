"""Steps of training over pieces of their batch, where memory does not hold all of it at once.

The mean loss L of a batch is a weighted sum of those of its pieces, and so is its gradient:

    ∇L = Σ_p share_p · ∇L_p,    share_p = (weight of the clips of p) / (weight of all clips)

It stays the gradient of the undivided batch if each clip's answer depends on no other clip, which
batch norm breaks, and if each clip meets the same random numbers: see `WholeBatchNoise`.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import TypeVar

import torch
from torch import nn

from convscope.errors import NoRoom, UserError
from convscope.training.accumulation.memory import halved, if_it_fits
from convscope.training.accumulation.noise import WholeBatchNoise
from convscope.training.config import TrainConfig

Result = TypeVar("Result")


def has_batch_norm(net: nn.Module) -> bool:
    """Whether the clips of a batch see each other's statistics in training."""
    return any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in net.modules())


def check_micro_batch(config: TrainConfig, batch_norm: bool) -> None:
    """Refuse to divide batches of a net with batch norm, unless that is asked for.

    Raises:
        UserError: naming the keys.
    """
    size = config.micro_batch
    if batch_norm and size and size < config.batch_size and not config.divide_batch_norm:
        raise UserError(
            f"train.micro_batch={size} divides the {config.batch_size} clips of a step, and with "
            "batch norm that is another training: leave it out, take fewer clips a step with "
            "train.batch_size, or allow it with train.divide_batch_norm=true"
        )


class MicroBatches:
    """A net's batches in pieces, as few as memory allows.

    Attributes:
        at_most: clips of a piece; None as long as batches fit undivided.
        divided: whether a batch was divided although there is batch norm: another training.
    """

    def __init__(
        self,
        net: nn.Module,
        device: torch.device,
        config: TrainConfig,
        make_room: Callable[[], bool] = lambda: False,
    ) -> None:
        """`make_room` lets go of what can be done without; it says whether there was any."""
        self._make_room = make_room
        self.at_most = config.micro_batch
        self.divided = False
        self._net = net
        self._device = device
        self._batch_norm = has_batch_norm(net)
        self._may_divide = config.divide_batch_norm or not self._batch_norm
        check_micro_batch(config, self._batch_norm)

    def each(self, n_clips: int, backward: Callable[[slice], Result]) -> list[Result]:
        """`backward(rows)` for the rows of each piece, which leaves the batch's gradient.

        Where memory does not suffice, all is put back, the pieces are halved, and it begins again.
        Random numbers are drawn as for the undivided batch.

        Raises:
            NoRoom: where the batch fits neither whole nor divided, or must not be divided.
        """
        before = _State(self._net if self._may_divide else None, self._device)
        while (results := if_it_fits(lambda: self._once(n_clips, backward, before))) is None:
            if not self._make_room():
                self._halve(n_clips)
            before.put_back()
        return results

    def _once(
        self, n_clips: int, backward: Callable[[slice], Result], before: "_State"
    ) -> list[Result]:
        self._net.zero_grad(set_to_none=True)
        pieces = list(even(n_clips, self.at_most))
        if len(pieces) == 1:
            return [backward(pieces[0])]
        self.divided |= self._batch_norm
        results = []
        for rows in pieces:
            before.put_back_random_numbers()
            with WholeBatchNoise(rows, n_clips):
                results.append(backward(rows))
        return results

    def _halve(self, n_clips: int) -> None:
        self._net.zero_grad(set_to_none=True)
        if not self._may_divide:
            raise NoRoom(
                f"the memory of {self._device} does not hold the {n_clips} clips of a step, and to "
                "divide them is another training with batch norm: wait until there is more room, "
                "take fewer with train.batch_size, or allow it with train.divide_batch_norm=true"
            )
        self.at_most = halved(min(self.at_most or n_clips, n_clips), self._device)


def even(n_clips: int, at_most: int | None) -> Iterator[slice]:
    """Consecutive rows of a batch, as many as needed, their lengths at most 1 apart."""
    n_pieces = -(-n_clips // (at_most or n_clips))
    ends = [n_clips * piece // n_pieces for piece in range(n_pieces + 1)]
    return (slice(start, stop) for start, stop in pairwise(ends))


class _State:
    """What a forward pass changes: torch's random numbers, and a net's buffers."""

    def __init__(self, net: nn.Module | None, device: torch.device) -> None:
        self._buffers = [(each, each.clone()) for each in (net.buffers() if net else ())]
        self._random = torch.get_rng_state()
        self._cuda = device if device.type == "cuda" else None
        self._cuda_random = torch.cuda.get_rng_state(device) if self._cuda else None

    def put_back(self) -> None:
        """All of it as it was when this was made."""
        self.put_back_random_numbers()
        for buffer, value in self._buffers:
            buffer.copy_(value)

    def put_back_random_numbers(self) -> None:
        torch.set_rng_state(self._random)
        if self._cuda is not None and self._cuda_random is not None:
            torch.cuda.set_rng_state(self._cuda_random, self._cuda)
