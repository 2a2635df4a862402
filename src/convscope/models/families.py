"""The families of networks: the rule of each, and the values of its preset."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

SHORTEST_HALVED_KERNEL = 3


@dataclass(frozen=True)
class FilterBank:
    """The first layers of a residual net: a learnt filter bank on the raw waveform.

    In training, whole bands drop out at the rate of the spec's dropout.

    Attributes:
        n_bands: pairs of filters; each pair gives one band's energy.
        window_seconds, hop_seconds: how long the filters are, and from where to where they move.
        mixing_kernel, mixing_stride: of the convolution from bands to channels, in hops.
    """

    n_bands: int = 40
    window_seconds: float = 0.025
    hop_seconds: float = 0.010
    mixing_kernel: int = 5
    mixing_stride: int = 2

    def kernel(self, rate_hz: int) -> int:
        """Samples of a filter: 400 at 16 kHz."""
        return max(round(self.window_seconds * rate_hz), 1)

    def stride(self, rate_hz: int) -> int:
        """Samples from one position to the next: 160 at 16 kHz."""
        return max(round(self.hop_seconds * rate_hz), 1)


@dataclass(frozen=True)
class Family:
    """A family's rule: all that its networks have in common.

    Attributes:
        n_dims: 1 for a waveform, 2 for a spectrogram or an image.
        padding: of every convolution; `same` is Keras' where there is no stride.
        blocks_per_doubling: block k = 0, 1, … has base_channels · 2^(k // blocks_per_doubling)
            channels; 0: all have as many.
        pool: pooling size and stride; 0: none.
        pool_ceil: whether a last, partial window counts (the spec's `pool_padding`) or is dropped.
        defaults: the preset: values of keys that a recipe does not give.
        convs_per_block: convolutions before (or after) each pooling.
        pools_first_block: whether block 0 pools as well.
        halves_kernel: filter lengths kernel, kernel / 2, … down to 3, instead of one length.
        filter_bank: what a residual net begins with; its blocks are residual. None: a plain net.
        weight_scale: of the initial weights, relative to the initializer's. Batch norm makes the
            answers independent of it, but Adam's steps are larger beside smaller weights.
    """

    n_dims: Literal[1, 2]
    padding: Literal["same", "valid"]
    blocks_per_doubling: int
    pool: int
    pool_ceil: bool
    defaults: Mapping[str, Any]
    convs_per_block: int = 1
    pools_first_block: bool = True
    halves_kernel: bool = False
    filter_bank: FilterBank | None = None
    weight_scale: float = 1.0

    @property
    def fewest_convs(self) -> int:
        """Convolutions of a network of one block."""
        return self.convs_per_block + self._n_convs_before_blocks

    def n_blocks(self, conv_layers: int) -> int:
        """Blocks of a network of so many convolutions; what is over is no whole block."""
        return (conv_layers - self._n_convs_before_blocks) // self.convs_per_block

    @property
    def _n_convs_before_blocks(self) -> int:
        return 0 if self.filter_bank is None else 2


def _sizes(conv_layers: int, kernel: int, base_channels: int, **own: Any) -> dict[str, Any]:
    """A preset; what it does not name is the spec's own default."""
    return {"conv_layers": conv_layers, "kernel": kernel, "base_channels": base_channels, **own}


_BASELINE_1D = Family(
    n_dims=1,
    padding="valid",
    blocks_per_doubling=1,
    pool=4,
    pool_ceil=True,
    defaults=_sizes(5, 25, 8, fc_hidden=2, pool_padding="same"),
)
_CUSTOM = Family(
    n_dims=1,
    padding="same",
    blocks_per_doubling=4,
    pool=3,
    pool_ceil=False,
    pools_first_block=False,
    defaults=_sizes(8, 5, 64),
)
_IMAGE_2D = Family(
    n_dims=2,
    padding="same",
    blocks_per_doubling=2,
    pool=2,
    pool_ceil=True,
    defaults=_sizes(6, 5, 32),
)

FAMILIES: dict[str, Family] = {
    "baseline1d": _BASELINE_1D,
    "baseline2d": replace(_BASELINE_1D, n_dims=2, pool=2, defaults=_sizes(3, 5, 8, fc_hidden=2)),
    "custom": _CUSTOM,
    "vgg": replace(_CUSTOM, convs_per_block=2, defaults=_sizes(16, 3, 64)),
    "long_filter": replace(_CUSTOM, halves_kernel=True, defaults=_sizes(8, 192, 64)),
    "image2d": _IMAGE_2D,
    "mnist": replace(_IMAGE_2D, defaults=_sizes(3, 3, 32)),
    "residual": Family(
        n_dims=1,
        padding="same",
        blocks_per_doubling=0,
        pool=0,
        pool_ceil=False,
        convs_per_block=4,
        filter_bank=FilterBank(),
        weight_scale=3**-0.5,  # the variance of torch's own initial weights
        defaults=_sizes(18, 9, 64, dropout=0.1, batch_norm=True, head="average"),
    ),
}
