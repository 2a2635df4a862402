"""The layer table, for people and for machines."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich import box
from rich.table import Table

from convscope.models.rows import LayerRow, flops, n_params


def layers_as_json(rows: Sequence[LayerRow], rate_hz: int | None) -> dict[str, Any]:
    """The rows as plain data with their sums; of sounds the receptive field in ms as well."""
    layers = [{**asdict(row), "receptive_field_ms": _milliseconds(row, rate_hz)} for row in rows]
    return {
        "layers": layers,
        "params": n_params(rows),
        "flops": flops(rows),
        "activation_bytes": sum(row.activation_bytes for row in rows),
    }


def layer_table(rows: Sequence[LayerRow], rate_hz: int | None) -> Table:
    """The rows for the terminal: the receptive field in samples and ms, or in pixels."""
    n_bytes = sum(row.activation_bytes for row in rows)
    first = next((row.name for row in rows if row.sees_whole), None)
    about = "field: what a unit sees of the input"
    if first is not None:
        about += f"; *: from {first} on a unit sees the whole clip"
    table = Table(show_footer=True, box=box.SIMPLE, caption=about)
    table.add_column("layer", "in all")
    table.add_column("shape")
    table.add_column("field", justify="right")
    table.add_column("ms", justify="right")
    table.add_column("stride", justify="right")
    table.add_column("params", f"{n_params(rows):,}", justify="right")
    table.add_column("MFLOP", f"{flops(rows) / 1e6:,.2f}", justify="right")
    table.add_column("kB", f"{n_bytes / 1e3:,.1f}", justify="right")
    for row in rows:
        milliseconds = _milliseconds(row, rate_hz)
        table.add_row(
            row.name,
            _sizes(row.shape),
            _sizes(row.receptive_field) + (" *" if row.sees_whole else ""),
            "" if milliseconds is None else f"{milliseconds:.2f}",
            _sizes(row.stride),
            f"{row.params:,}",
            f"{row.flops / 1e6:,.2f}",
            f"{row.activation_bytes / 1e3:,.1f}",
        )
    return table


def _sizes(sizes: tuple[int, ...] | None) -> str:
    return "" if sizes is None else "×".join(map(str, sizes))


def _milliseconds(row: LayerRow, rate_hz: int | None) -> float | None:
    """Of a waveform only: a spectrogram's axes are frames and bins."""
    if rate_hz is None or row.receptive_field is None or len(row.receptive_field) != 1:
        return None
    return 1000 * row.receptive_field[0] / rate_hz
