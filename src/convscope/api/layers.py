"""The layer table of a network that need not be trained."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convscope.api.html import table_html
from convscope.api.recipes import cell_of
from convscope.data.load import class_names
from convscope.errors import UserError
from convscope.models.describe import describe as rows_of
from convscope.models.rows import LayerRow, flops, n_params
from convscope.models.spec import ConvNetSpec, ModelSpec, UserNet
from convscope.models.table import layers_as_json
from convscope.training.cell import Cell, check_network
from convscope.types import Shape

ONE_SECOND = (1, 16_000)
HEADINGS = ("layer", "shape", "receptive field", "stride", "params", "FLOPs", "bytes")


@dataclass(frozen=True)
class LayerTable:
    """Every layer of a network: its shape, receptive field, parameters, FLOPs and bytes.

    Attributes:
        rows: one for each layer; the receptive field in samples or pixels.
        rate_hz: samples a second of a sound; None of an image.
    """

    rows: tuple[LayerRow, ...]
    rate_hz: int | None = None

    @property
    def params(self) -> int:
        """Trainable parameters of all layers."""
        return n_params(self.rows)

    @property
    def flops(self) -> int:
        """Floating-point operations of a forward pass of one clip."""
        return flops(self.rows)

    def to_dict(self) -> dict[str, Any]:
        """As `convscope describe --json`."""
        return layers_as_json(self.rows, self.rate_hz)

    def __len__(self) -> int:
        return len(self.rows)

    def _repr_html_(self) -> str:
        rows = (
            (
                row.name,
                _sizes(row.shape),
                _sizes(row.receptive_field or ()),
                _sizes(row.stride or ()),
                f"{row.params:,}",
                f"{row.flops:,}",
                f"{row.activation_bytes:,}",
            )
            for row in self.rows
        )
        note = f"{self.params:,} parameters, {self.flops:,} FLOPs"
        return table_html(HEADINGS, rows, note)


def describe(
    what: Path | str | Cell | ModelSpec,
    *assignments: str,
    input_shape: Shape | None = None,
    n_classes: int = 16,
) -> LayerTable:
    """The layer table of a recipe's network, or of a spec.

    Args:
        what: a YAML file, what `convscope.recipe` gives, or what `convscope.spec` gives.
        assignments: `section.key=value`, laid over a recipe.
        input_shape: of one clip for a spec, channels first; None: 1 s at 16 kHz, (1, 16000).
        n_classes: of a spec's last layer.

    Raises:
        UserError: for a network that its input shrinks to nothing, or a spec of images without
            `input_shape`.

    Examples:
        >>> import convscope as cs
        >>> table = cs.describe(cs.spec(family="custom", conv_layers=8), n_classes=16)
        >>> table.rows[0].name, table.rows[0].shape
        ('conv1', (64, 16000))
    """
    if isinstance(what, ConvNetSpec | UserNet):
        return LayerTable(rows_of(what, _shape(what, input_shape, assignments), n_classes), 16_000)
    cell = cell_of(what, assignments)
    check_network(cell)
    rows = rows_of(cell.model, cell.data.shape, len(class_names(cell.data)))
    return LayerTable(rows, getattr(cell.data, "rate_hz", None))


def _shape(spec: ModelSpec, shape: Shape | None, assignments: Sequence[str]) -> Shape:
    if assignments:
        raise UserError(
            f"{assignments[0]}: expected a recipe to lay it over, got a spec: give it its "
            "keys themselves"
        )
    if shape is not None:
        return shape
    if isinstance(spec, ConvNetSpec) and spec.rule.n_dims == 2:
        raise UserError(
            f"input_shape: expected the shape of one clip of {spec.family}, such as (1, 28, 28), "
            "got nothing"
        )
    return ONE_SECOND


def _sizes(sizes: Sequence[int]) -> str:
    return "×".join(map(str, sizes))
