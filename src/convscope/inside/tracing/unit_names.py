"""Units by name: `conv3:17` is channel 17 of the third convolution, `logits:zero` a class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from convscope.errors import UserError
from convscope.inside.tracing.layers import Layer, layer_named
from convscope.names import find_name
from convscope.settings import suggest


@dataclass(frozen=True)
class Unit:
    """One channel of a layer; units count from 0."""

    layer: str
    index: int

    def __str__(self) -> str:
        return f"{self.layer}:{self.index}"


def read_unit(text: str, layers: Mapping[str, Layer], classes: Sequence[str] = ()) -> Unit:
    """The unit of a name.

    Args:
        text: `conv3:17`, or `logits:NAME`, a class.
        layers: of the net.
        classes: the names of its logits, as far as they are known.

    Raises:
        UserError: for a layer, unit or class that the net does not have.
    """
    name, colon, which = text.partition(":")
    if not colon or not which:
        raise UserError(f"{text}: expected layer:unit such as conv3:17, or logits:CLASS")
    layer = layer_named(layers, name)
    found = find_name(which, classes) if layer.kind == "logits" else None
    if found is not None:
        return Unit(name, list(classes).index(found))
    if not which.isdecimal():
        hint = suggest(which, list(classes)) if layer.kind == "logits" else ""
        raise UserError(f"{text}: {which} is no unit of {name}, they count from 0{hint}")
    if int(which) >= layer.n_units:
        raise UserError(f"{text}: {name} has {layer.n_units} units, 0 to {layer.n_units - 1}")
    return Unit(name, int(which))
