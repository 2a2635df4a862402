"""How large a network is: what its parameters, time and memory are estimated from."""

from collections.abc import Hashable
from dataclasses import dataclass
from functools import lru_cache

from convscope.models.describe import describe
from convscope.models.rows import BYTES_PER_FLOAT, flops, n_params
from convscope.models.spec import ConvNetSpec, ModelSpec, UserNet
from convscope.training.cell import Cell
from convscope.types import Shape


@dataclass(frozen=True)
class Size:
    """Sums over a network's layers; FLOPs and bytes are of one clip."""

    params: int
    flops: int
    activation_bytes: int

    def training_bytes(self, batch_size: int) -> int:
        """What a step holds: activations of a batch; weights, gradients and Adam's two moments."""
        return batch_size * self.activation_bytes + 4 * BYTES_PER_FLOAT * self.params


def size_of(cell: Cell, runs_code: bool = True) -> Size | None:
    """The size of a cell's network; None where only the data folder knows the classes.

    Args:
        cell: whose.
        runs_code: whether a user's own network is built for it, by its file; else it is None.

    Raises:
        UserError: for a network that cannot be built for its input, whatever the classes.
    """
    if not runs_code and isinstance(cell.model, UserNet):
        return None
    names = cell.data.names
    size = _size(_alike(cell.model), cell.data.shape, len(names or ("one", "other")))
    return size if names else None


def network_key(cell: Cell) -> Hashable:
    """The same for cells whose training steps take the same time and memory."""
    return cell.model, cell.data.shape, cell.data.names, cell.train.batch_size


@lru_cache(maxsize=2**16)
def _size(model: ModelSpec, shape: Shape, n_classes: int) -> Size:
    rows = describe(model, shape, n_classes)
    return Size(n_params(rows), flops(rows), sum(row.activation_bytes for row in rows))


def _alike(model: ModelSpec) -> ModelSpec:
    """One network for all that differ in what no size depends on, so that it is described once."""
    if not isinstance(model, ConvNetSpec):
        return model
    same = {"activation": "relu", "initializer": "glorot_uniform"}
    return model.model_copy(update={**same, "dropout": 0.5 if model.dropout else 0.0})
