"""The frozen description of one network, and the families it comes from."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, ValidationInfo, field_validator, model_validator

from convscope.errors import UserError
from convscope.settings import Settings, suggest, validated

Activation: TypeAlias = Literal["relu", "tanh", "rrelu", "leaky_relu", "elu", "gelu", "silu"]
Initializer: TypeAlias = Literal["glorot_uniform", "glorot_normal", "he_uniform", "he_normal"]
Count: TypeAlias = Annotated[int, Field(strict=True, ge=1, le=4096)]

SHORTEST_HALVED_KERNEL = 3


@dataclass(frozen=True)
class FilterBank:
    """The first layers of a residual net: a learnt filter bank on the raw waveform.

    Attributes:
        n_bands: pairs of filters; each pair gives one band's energy.
        kernel, stride: of the filters, in samples.
        mixing_kernel, mixing_stride: of the convolution from bands to channels, in strides.
    """

    n_bands: int = 40
    kernel: int = 400
    stride: int = 160
    mixing_kernel: int = 5
    mixing_stride: int = 2


@dataclass(frozen=True)
class Family:
    """A family's rule: all that its networks have in common.

    Attributes:
        n_dims: 1 for a waveform, 2 for a spectrogram or an image.
        padding: of every convolution, as in Keras.
        blocks_per_doubling: block k = 0, 1, … has base_channels · 2^(k // blocks_per_doubling)
            channels; 0: all have as many.
        pool: pooling size and stride; 0: none.
        pool_ceil: whether a last, partial window counts (Keras `same`) or not (floor).
        defaults: the value of every key that a recipe does not give.
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


def _defaults(conv_layers: int, kernel: int, base_channels: int, **own: Any) -> dict[str, Any]:
    """What the reports use where they do not say otherwise."""
    common = {
        "fc_hidden": 0,
        "activation": "relu",
        "initializer": "glorot_uniform",
        "dropout": 0.5,
        "batch_norm": False,
        "pool": "after",
        "head": "flatten",
    }
    size = {"conv_layers": conv_layers, "kernel": kernel, "base_channels": base_channels}
    return common | size | own


FAMILIES: dict[str, Family] = {
    "baseline1d": Family(
        n_dims=1,
        padding="valid",
        blocks_per_doubling=1,
        pool=4,
        pool_ceil=True,
        defaults=_defaults(5, 25, 8, fc_hidden=2),
    ),
    "baseline2d": Family(
        n_dims=2,
        padding="valid",
        blocks_per_doubling=1,
        pool=2,
        pool_ceil=True,
        defaults=_defaults(3, 5, 8, fc_hidden=2),
    ),
    "custom": Family(
        n_dims=1,
        padding="same",
        blocks_per_doubling=4,
        pool=3,
        pool_ceil=False,
        pools_first_block=False,
        defaults=_defaults(8, 5, 64),
    ),
    "vgg": Family(
        n_dims=1,
        padding="same",
        blocks_per_doubling=4,
        pool=3,
        pool_ceil=False,
        pools_first_block=False,
        convs_per_block=2,
        defaults=_defaults(16, 3, 64),
    ),
    "long_filter": Family(
        n_dims=1,
        padding="same",
        blocks_per_doubling=4,
        pool=3,
        pool_ceil=False,
        pools_first_block=False,
        halves_kernel=True,
        defaults=_defaults(8, 192, 64),
    ),
    "image2d": Family(
        n_dims=2,
        padding="same",
        blocks_per_doubling=2,
        pool=2,
        pool_ceil=True,
        defaults=_defaults(6, 5, 32),
    ),
    "mnist": Family(
        n_dims=2,
        padding="same",
        blocks_per_doubling=2,
        pool=2,
        pool_ceil=True,
        defaults=_defaults(3, 3, 32),
    ),
    "residual": Family(
        n_dims=1,
        padding="same",
        blocks_per_doubling=0,
        pool=0,
        pool_ceil=False,
        convs_per_block=4,
        filter_bank=FilterBank(),
        weight_scale=3**-0.5,  # the variance of torch's own initial weights
        defaults=_defaults(18, 9, 64, dropout=0.1, batch_norm=True, head="average"),
    ),
}


class ConvNetSpec(Settings):
    """One network of a family. Keys that are not given are filled in from the family's preset."""

    family: str
    conv_layers: Count = Field(description="convolutions, however they are grouped into blocks")
    kernel: Count = Field(description="samples (pixels a side); of long_filter: the first one's")
    base_channels: Count = Field(description="channels of the first block")
    fc_hidden: int = Field(strict=True, ge=0, le=2, description="hidden dense layers: 1024, 512")
    activation: Activation
    initializer: Initializer
    dropout: float = Field(
        strict=True,
        ge=0,
        lt=1,
        description="rate after each hidden dense layer, else before logits",
    )
    batch_norm: bool = Field(strict=True, description="between convolution and activation")
    pool: Literal["after", "before"] = Field(description="where a block pools: by its convolutions")
    head: Literal["flatten", "average"] = Field(description="average: global, so that CAM exists")

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: Any) -> Any:
        """The family's preset below what is given; an unknown family is refused by its own key."""
        if not isinstance(values, Mapping):
            return values
        name = values.get("family")
        family = FAMILIES.get(name if isinstance(name, str) else "", FAMILIES["custom"])
        return {**family.defaults, **values}

    @field_validator("family")
    @classmethod
    def _known(cls, family: str) -> str:
        if family not in FAMILIES:
            raise ValueError(
                f"expected a family, got {family!r}{suggest(family, list(FAMILIES))}; "
                "or FILE.py:make_net for a network of your own"
            )
        return family

    @field_validator("conv_layers")
    @classmethod
    def _whole_blocks(cls, conv_layers: int, info: ValidationInfo) -> int:
        rule = _rule(info)
        step, fewest = rule.convs_per_block, rule.fewest_convs
        over = (conv_layers - fewest) % step
        if conv_layers < fewest or over:
            below, above = conv_layers - over, max(conv_layers - over + step, fewest)
            raise ValueError(
                f"expected {fewest}, {fewest + step}, {fewest + 2 * step}, …, as each block of "
                f"{info.data['family']} has {step} convolutions, got {conv_layers}: "
                f"take {f'{below} or ' if below >= fewest else ''}{above}"
            )
        return conv_layers

    @field_validator("kernel")
    @classmethod
    def _can_be_halved(cls, kernel: int, info: ValidationInfo) -> int:
        if _rule(info).halves_kernel and kernel < SHORTEST_HALVED_KERNEL:
            raise ValueError(
                f"expected at least {SHORTEST_HALVED_KERNEL}, as {info.data['family']} halves its "
                f"filters down to that length, got {kernel}"
            )
        return kernel

    @field_validator("pool")
    @classmethod
    def _has_a_pool(cls, pool: str, info: ValidationInfo) -> str:
        if not _rule(info).pool and pool == "before":
            raise ValueError(f"{info.data['family']} has no pooling: remove the key")
        return pool

    @property
    def rule(self) -> Family:
        """The rule of the spec's family."""
        return FAMILIES[self.family]


def _rule(info: ValidationInfo) -> Family:
    """The rule of the family under validation; any other where the family itself is refused."""
    return FAMILIES[info.data.get("family", "custom")]


class UserNet(Settings):
    """A network of the user's own: a function of a Python file, and the file's content by hash.

    The function is called with the input's shape and the number of classes and gives a module.
    """

    family: str = Field(description="FILE.py:FUNCTION, the path absolute")
    digest: str = Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of the file's bytes")

    @property
    def path(self) -> Path:
        return Path(self.family.rpartition(":")[0])

    @property
    def function(self) -> str:
        return self.family.rpartition(":")[2]

    def identity(self) -> dict[str, Any]:
        """The file's name and content decide the result; the folder it lies in does not."""
        return {"family": f"{self.path.name}:{self.function}", "digest": self.digest}


ModelSpec: TypeAlias = ConvNetSpec | UserNet


def make_spec(values: Mapping[str, Any]) -> ModelSpec:
    """The network that the keys below `model` of a recipe describe.

    Args:
        values: `family` (a name of `FAMILIES` or FILE.py:FUNCTION) and any other key of
            `ConvNetSpec`.

    Raises:
        UserError: naming the key at fault.
    """
    family = values.get("family")
    if isinstance(family, str) and (":" in family or family.endswith(".py")):
        return _make_user_net(family, values)
    return validated(ConvNetSpec, values, "model")


def _make_user_net(family: str, values: Mapping[str, Any]) -> UserNet:
    others = [key for key in values if key not in UserNet.model_fields]
    if others:
        raise UserError(
            f"model.{others[0]} has no effect beside model.family={family}: the file alone decides "
            f"the network; remove {', '.join(f'model.{key}' for key in others)}"
        )
    file, _, function = family.rpartition(":")
    if not file.endswith(".py") or not function.isidentifier():
        raise UserError(f"model.family: expected FILE.py:FUNCTION, got {family!r}")
    path = Path(file).expanduser().absolute()
    own = {"family": f"{path}:{function}", "digest": values.get("digest") or _digest(path)}
    return validated(UserNet, own, "model")


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UserError(
            f"model.family: {path} cannot be read ({error.strerror}): expected a Python file"
        ) from None
