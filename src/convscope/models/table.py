"""The layer table, for people and for machines."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table

from convscope.models.describe import LayerRow, flops, n_params


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
    """The rows for the terminal: the receptive field in samples and ms of sounds, else in pixels."""
    unit = "samples (ms)" if rate_hz else "pixels"
    table = Table(show_footer=True)
    table.add_column("layer", "in all")
    table.add_column("shape")
    table.add_column(f"receptive field, {unit}", justify="right")
    table.add_column("stride", justify="right")
    table.add_column("parameters", f"{n_params(rows):,}", justify="right")
    table.add_column("MFLOP", f"{flops(rows) / 1e6:,.2f}", justify="right")
    n_bytes = sum(row.activation_bytes for row in rows)
    table.add_column("activation kB", f"{n_bytes / 1e3:,.1f}", justify="right")
    for row in rows:
        table.add_row(
            row.name,
            _sizes(row.shape),
            _field(row, rate_hz),
            _sizes(row.stride),
            f"{row.params:,}",
            f"{row.flops / 1e6:,.2f}",
            f"{row.activation_bytes / 1e3:,.1f}",
        )
    return table


def _sizes(sizes: tuple[int, ...] | None) -> str:
    return "" if sizes is None else "×".join(map(str, sizes))


def _field(row: LayerRow, rate_hz: int | None) -> str:
    milliseconds = _milliseconds(row, rate_hz)
    in_time = "" if milliseconds is None else f" ({milliseconds:.2f})"
    return _sizes(row.receptive_field) + in_time


def _milliseconds(row: LayerRow, rate_hz: int | None) -> float | None:
    """Of a waveform only: a spectrogram's axes are frames and bins."""
    if rate_hz is None or row.receptive_field is None or len(row.receptive_field) != 1:
        return None
    return 1000 * row.receptive_field[0] / rate_hz
