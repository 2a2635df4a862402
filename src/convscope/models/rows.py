"""A row of the layer table, and sums over rows."""

from collections.abc import Iterable
from dataclasses import dataclass

from convscope.types import Shape

BYTES_PER_FLOAT = 4


@dataclass(frozen=True)
class LayerRow:
    """One layer. What has an axis is a tuple with an entry for each axis of the input.

    Attributes:
        name: where the layer is found: `net.get_submodule(name)`. The parts of a residual block
            have rows of their own before the block's.
        shape: of its output for one clip.
        receptive_field: input samples (pixels) that one unit can see, padding included; for a
            layer without positions (average, dense) the part of the input that it sees. That
            `centre` subtracts a mean over the whole clip is left out. None: not known.
        start: the first input sample of the first unit's field; negative where padding comes first.
        stride: input samples from one unit to the next; None without positions.
        params: trainable parameters.
        flops: of a forward pass of one clip: 2 for each multiply-add of a convolution or dense
            layer, padding included; biases and all else (normalisation, activation, pooling) are
            not counted. This is how torch.utils.flop_counter counts.
        activation_bytes: of the output for one clip as float32.
        sees_whole: whether a unit, the best placed, sees the whole clip; None: not known.
    """

    name: str
    kind: str
    shape: Shape
    receptive_field: tuple[int, ...] | None
    start: tuple[int, ...] | None
    stride: tuple[int, ...] | None
    params: int
    flops: int
    activation_bytes: int
    sees_whole: bool | None = None

    @property
    def centre(self) -> tuple[float, ...] | None:
        """Middle of the first unit's field in samples; unit i is at centre + i · stride."""
        if self.receptive_field is None or self.start is None:
            return None
        return tuple(
            start + (size - 1) / 2
            for start, size in zip(self.start, self.receptive_field, strict=True)
        )


def n_params(rows: Iterable[LayerRow]) -> int:
    """Trainable parameters of a network."""
    return sum(row.params for row in rows)


def flops(rows: Iterable[LayerRow]) -> int:
    """FLOPs of a forward pass of one clip."""
    return sum(row.flops for row in rows)
