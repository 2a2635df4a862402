"""The text in a run folder, which may come from anywhere: read as data, and within bounds.

What convscope never writes raises ValueError, or what the parser raises.
"""

import csv
import io
from pathlib import Path
from typing import Any

import yaml

LARGEST_TEXT = 2**28
"""Bytes: more than a run of any size has."""

DEEPEST_CONFIG = 16
"""Groups in groups of settings: four times as many as there are."""

_YAML: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # seven times as fast, where it is built


def text_of(path: Path) -> str:
    """What stands in a file."""
    if path.stat().st_size > LARGEST_TEXT:
        raise ValueError
    return path.read_text()


def sections(text: str) -> dict[str, Any]:
    """A config's sections, each with keys and values, from YAML."""
    _refuse_bomb(text)
    config = keys_and_values(yaml.load(text, _YAML))
    for section in config.values():
        keys_and_values(section)
    return config


def rows_of_numbers(text: str) -> list[dict[str, float]]:
    """A table of numbers by its columns' names, from CSV."""
    rows = csv.DictReader(io.StringIO(text))
    return [{key: float(value) for key, value in row.items()} for row in rows]


def keys_and_values(value: Any) -> dict[str, Any]:
    """The value, where it is that."""
    if not isinstance(value, dict):
        raise ValueError
    return value


def _refuse_bomb(text: str) -> None:
    """Deep nesting overflows the stack of the parser in C; aliases unfold to more than memory."""
    depth = 0
    for event in yaml.parse(text, _YAML):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST_CONFIG or isinstance(event, yaml.AliasEvent):
            raise ValueError
