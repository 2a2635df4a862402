"""What a user's net takes and answers: clips (n_clips, …) in, (n_clips, n_classes) out."""

import logging
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from convscope.errors import UserError, first_few
from convscope.inside.tracing.layers import called, explained
from convscope.inside.tracing.untouched import untouched

log = logging.getLogger(__name__)

N_PROBED = 3
"""Clips of silence by which the axes of an answer are told apart."""


class OneAnswer(nn.Module):
    """A net whose answer is one of several tensors, or has its axes in an order of its own.

    Args:
        net: the user's.
        output: which tensor, by its index or name; None: the only one, or the first.
        has_channel: whether it takes clips with a channel axis.
        n_classes: where it is known; it tells classes from times.
    """

    def __init__(
        self, net: nn.Module, output: str | None, has_channel: bool, n_classes: int
    ) -> None:
        super().__init__()
        self.net = net
        self._output = output
        self._has_channel = has_channel
        self._n_classes = n_classes
        self._axes: tuple[int, int] = (0, 1)
        self._n_axes = 2
        self._is_in_order = False

    def forward(self, clips: Tensor) -> Tensor:
        answer = self._answer(clips)
        if self._is_in_order:
            return answer
        if answer.dim() == self._n_axes:  # else one clip alone, which has lost its axis
            rows = answer.movedim(self._axes, (0, 1))
            answer = rows.flatten(2).mean(dim=2) if rows.dim() > 2 else rows
        # the last operation of any number of clips alike: by it the logits are found
        return answer.reshape(len(clips), self._n_classes)

    def find_axes(self, clip: Tensor) -> None:
        """Tell the axes of the answer apart by a few clips of silence.

        Raises:
            UserError: where the net fails, or the axes cannot be told.
        """
        with untouched(self.net), torch.no_grad():
            several = clip.expand(N_PROBED, *clip.shape[1:])
            with explained(self.net, several):
                shape = tuple(self._answer(several).shape)
                alone = tuple(self._answer(clip).shape)
        batch = next((i for i, size in enumerate(shape) if size == N_PROBED), None)
        others = [i for i in range(len(shape)) if i != batch]
        wide = [i for i in others if shape[i] > 1] or others[:1]
        if len(wide) > 1 and self._n_classes:
            wide = [i for i in wide if shape[i] == self._n_classes]
        if batch is None or len(wide) != 1:
            name = type(self.net).__name__
            raise UserError(
                f"{name}: expected an answer (n_clips, n_classes), got {shape} for {N_PROBED} "
                "clips: give --classes FILE, by which classes are told from times, or --output"
            )
        self._axes = batch, wide[0]
        self._n_axes = len(shape)
        self._is_in_order = self._axes == (0, 1) and len(shape) == len(alone) == 2
        self._n_classes = shape[wide[0]]

    def _answer(self, clips: Tensor) -> Tensor:
        given = self.net(clips if self._has_channel else clips.squeeze(1))
        return picked(given, self._output, type(self.net).__name__)


def with_one_answer(
    net: nn.Module, clip: Tensor, output: str | None, has_channel: bool, n_classes: int
) -> nn.Module:
    """The net itself where it answers (n_clips, n_classes), else within a `OneAnswer` of its name.

    Args:
        net: the user's, ready to be looked at.
        clip: (1, *shape) silence, with a channel axis.
        output: as `OneAnswer`.
        has_channel: as `OneAnswer`.
        n_classes: where it is known, else 0.
    """
    if has_channel and output is None and _is_plain(net, clip):
        return net
    named = type(type(net).__name__, (OneAnswer,), {})
    made: OneAnswer = named(net, output, has_channel, n_classes)
    made.find_axes(clip)
    return made.eval()


def picked(given: Any, output: str | None, name: str) -> Tensor:
    """One tensor of what a net answers.

    Args:
        given: a tensor, a tuple or list, a mapping, or an object with tensors as attributes.
        output: an index or name; None: the tensor, `logits` among names, else the first.
        name: of the net, for messages.

    Raises:
        UserError: where there is no such output.
    """
    if isinstance(given, Tensor):
        if output not in (None, "0"):
            raise UserError(f"--output {output}: {name} answers with one tensor: leave it out")
        return given
    found = _tensors(given)
    if not found:
        raise UserError(
            f"{name}: expected a tensor (n_clips, n_classes), got {type(given).__name__}"
        )
    if output is None:
        return found["logits"] if "logits" in found else next(iter(found.values()))
    if output not in found:
        raise UserError(
            f"--output {output}: {name} answers with {first_few(found, 8)}: expected one of them"
        )
    return found[output]


def _tensors(given: Any) -> dict[str, Tensor]:
    """The tensors of an answer by their names, or by their numbers."""
    if not isinstance(given, Mapping | tuple | list) and not hasattr(given, "__dict__"):
        return {}
    if isinstance(given, Mapping):
        pairs = [(str(key), value) for key, value in given.items()]
    elif isinstance(given, tuple | list) and not hasattr(given, "_fields"):
        pairs = [(str(i), value) for i, value in enumerate(given)]
    else:
        names = getattr(given, "_fields", None) or vars(given)
        pairs = [(key, getattr(given, key)) for key in names]
    return {key: value for key, value in pairs if isinstance(value, Tensor)}


def _is_plain(net: nn.Module, clip: Tensor) -> bool:
    with untouched(net), torch.no_grad():
        answer = called(net, clip)
    if isinstance(answer, Tensor):
        return answer.dim() == 2 and len(answer) == 1
    names = list(_tensors(answer)) if not isinstance(answer, str | int | float) else []
    if names:
        taken = "logits" if "logits" in names else names[0]
        log.warning(
            "%s answers with %s: %s is taken; --output names another",
            type(net).__name__,
            first_few(names, 4),
            taken,
        )
    return False
