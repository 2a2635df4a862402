"""The frozen description of one network."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import Field, ValidationInfo, field_validator, model_validator

from convscope.errors import UserError
from convscope.models.families import FAMILIES, SHORTEST_HALVED_KERNEL, Family
from convscope.run import BEFORE
from convscope.settings import Settings, suggest, validated

Activation: TypeAlias = Literal["relu", "tanh", "rrelu", "leaky_relu", "elu", "gelu", "silu"]
Initializer: TypeAlias = Literal["glorot_uniform", "glorot_normal", "he_uniform", "he_normal"]
Count: TypeAlias = Annotated[int, Field(strict=True, ge=1, le=4096)]


class ConvNetSpec(Settings):
    """One network of a family.

    Keys that are not given are filled in from the family's preset, and else from the defaults here:
    what the reports use where they do not say otherwise.
    """

    before: ClassVar[Mapping[str, Any]] = BEFORE["model"]

    family: str
    conv_layers: Count = Field(description="convolutions, however they are grouped into blocks")
    kernel: Count = Field(description="samples (pixels a side); of long_filter: the first one's")
    base_channels: Count = Field(description="channels of the first block")
    fc_hidden: int = Field(0, strict=True, ge=0, le=2, description="hidden dense layers: 1024, 512")
    activation: Activation = "relu"
    initializer: Initializer = "glorot_uniform"
    dropout: float = Field(
        0.5,
        strict=True,
        ge=0,
        lt=1,
        description="rate after each hidden dense layer, else before logits; of bands as well",
    )
    batch_norm: bool = Field(False, strict=True, description="between convolution and activation")
    batch_norm_momentum: float = Field(
        0.1, gt=0, le=1, description="a batch's share in the running statistics; Keras: 0.01"
    )
    batch_norm_epsilon: float = Field(1e-5, gt=0, description="added to the variance; Keras: 0.001")
    pool: Literal["after", "before"] = Field(
        "after", description="where a block pools: by its convolutions"
    )
    pool_padding: Literal["same", "behind"] = Field(
        "behind",
        description="of pooling that keeps a last, partial window; same: half in front, as Keras",
    )
    rate_hz: int = Field(
        16_000,
        strict=True,
        ge=100,
        description="of the sounds that a filter bank is built for; a recipe takes data.rate_hz",
    )
    head: Literal["flatten", "average"] = Field(
        "flatten", description="average: global, so that CAM exists"
    )

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

    @field_validator("pool", "pool_padding")
    @classmethod
    def _has_a_pool(cls, value: str, info: ValidationInfo) -> str:
        rule = _rule(info)
        if not rule.pool and value in ("before", "same"):
            raise ValueError(f"{info.data['family']} has no pooling: remove the key")
        if not rule.pool_ceil and value == "same":
            raise ValueError(f"{info.data['family']} drops a last, partial window: remove the key")
        return value

    @field_validator("rate_hz")
    @classmethod
    def _has_a_filter_bank(cls, rate_hz: int, info: ValidationInfo) -> int:
        if _rule(info).filter_bank is None and rate_hz != BEFORE["model"]["rate_hz"]:
            raise ValueError(f"{info.data['family']} has no filter bank: remove the key")
        return rate_hz

    def for_rate(self, rate_hz: int) -> "ConvNetSpec":
        """The same with its filter bank, if it has one, built for sounds of that rate."""
        if self.rule.filter_bank is None:
            return self
        return self.model_copy(update={"rate_hz": rate_hz})

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

    def source(self) -> bytes:
        """The file's bytes, of which the hash is.

        Raises:
            UserError: where it cannot be read, or is another by now.
        """
        said = f"model.family={self.family}"
        try:
            source = self.path.read_bytes()
        except OSError as error:
            raise UserError(f"{said}: the file cannot be read ({error.strerror})") from None
        if hashlib.sha256(source).hexdigest() != self.digest:
            raise UserError(
                f"{said}: the file has changed since this network was described: put the old one "
                "back, or train the new one as a run of its own"
            )
        return source

    def at(self, path: Path) -> "UserNet":
        """The same network from a copy of its file."""
        return self.model_copy(update={"family": f"{path.absolute()}:{self.function}"})

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
