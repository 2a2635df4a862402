"""Random numbers of a piece of a batch: those that its clips would meet in the whole batch."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from convscope.errors import NoRoom

DRAWS = frozenset(
    {
        "bernoulli",
        "bernoulli_",
        "exponential_",
        "native_dropout",
        "normal",
        "normal_",
        "rand",
        "rand_like",
        "randn",
        "randn_like",
        "uniform_",
    }
)
"""Operations whose random numbers depend on nothing but the shape of what they fill."""


class WholeBatchNoise(TorchDispatchMode):
    """While active, a piece of a batch meets the random numbers that it would in the whole batch.

    Every operation that draws (dropout of any kind, random slopes, noise that a net adds, a user's
    net as well) is made for the shape and memory order of the whole batch, and the piece's rows of
    its result are taken. A single number is drawn as it is: it is the same for all clips.

    It holds one layer's numbers for the whole batch at a time, not its activations.
    """

    def __init__(self, rows: slice, n_clips: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._rows = rows
        self._n_rows = rows.stop - rows.start
        self._n_clips = n_clips

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if not _draws(func, args, kwargs) or _fills_a_number(args):
            return func(*args, **kwargs)
        whole = [self._widened(each) for each in args]
        if not _by_shape_alone(func, args) or not any(
            new is not old for new, old in zip(whole, args, strict=True)
        ):
            raise NoRoom(
                f"the clips of a step cannot be divided: the net draws random numbers with {func}, "
                f"not a row for each clip: wait until there is more room, take fewer with "
                "train.batch_size, and leave out train.micro_batch"
            )
        drawn = func(*whole, **kwargs)
        filled = self._filled(func, args, whole)
        return tree_map_only(Tensor, lambda each: filled.get(id(each), self._piece(each)), drawn)

    def _widened(self, argument: Any) -> Any:
        """An argument with a row for each clip of the piece, as it is with one for every clip."""
        if isinstance(argument, Tensor) and argument.ndim and len(argument) == self._n_rows:
            return self._widened_tensor(argument)
        if isinstance(argument, list) and argument and argument[0] == self._n_rows:
            return [self._n_clips, *argument[1:]]
        return argument

    def _widened_tensor(self, piece: Tensor) -> Tensor:
        """Zeros but for the piece's rows, in the memory order that the piece has."""
        strides = piece.stride()
        order = sorted(range(piece.ndim), key=lambda axis: -strides[axis])
        shape = (self._n_clips, *piece.shape[1:])
        whole = torch.empty_permuted(shape, order, dtype=piece.dtype, device=piece.device).zero_()
        whole[self._rows] = piece
        return whole

    def _filled(self, func: Any, args: Sequence[Any], whole: Sequence[Any]) -> dict[int, Tensor]:
        """The tensors that the operation writes into, filled; by the id of their widened form."""
        filled = {}
        for schema, old, new in zip(func._schema.arguments, args, whole, strict=False):
            if schema.is_write:
                filled[id(new)] = old.copy_(new[self._rows])
        return filled

    def _piece(self, whole: Tensor) -> Tensor:
        """The piece's rows alone, so that the others are let go of."""
        return whole[self._rows].clone()


def _draws(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Whether an operation draws random numbers; attention, for one, does by its dropout only."""
    if torch.Tag.nondeterministic_seeded not in func.tags:
        return False
    schema = func._schema.arguments
    values = {each.name: each.default_value for each in schema if each.has_default_value()}
    values |= dict(zip((each.name for each in schema), args, strict=False)) | dict(kwargs)
    return bool(values.get("dropout_p", values.get("dropout", 1)) != 0)


def _fills_a_number(args: Sequence[Any]) -> bool:
    first = args[0] if args else None
    return (isinstance(first, Tensor) and first.ndim == 0) or first == []


def _by_shape_alone(func: Any, args: Sequence[Any]) -> bool:
    """On a CPU torch's randomised ReLU draws for negative numbers alone."""
    name = func._schema.name.removeprefix("aten::")
    return name in DRAWS or (name == "rrelu_with_noise" and bool(args[0].is_cuda))
