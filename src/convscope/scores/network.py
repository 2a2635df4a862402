"""What a row's network and training are: in one short text, and as settings to compare."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from convscope.data.config import DataConfig, SpectrogramConfig
from convscope.data.exclude import said
from convscope.scores.rows import BoardRow

MODEL_COLUMNS = (
    "family",
    "conv_layers",
    "kernel",
    "base_channels",
    "fc_hidden",
    "activation",
    "initializer",
    "dropout",
    "batch_norm",
)
"""The columns of a board that say which network it is, as the reports' tables name them."""

SEED = "train.seed"

NOT_COMPARED = {f"data.{key}" for key in DataConfig.not_in_name} | {
    SEED,
    *(f"train.{key}" for key in ("device", "threads", "micro_batch", "divide_batch_norm")),
}
"""Settings in which two runs may differ and yet be seeds of the same thing."""

_UNSAID = {"activation": "relu", "initializer": "glorot_uniform", "fc_hidden": 0}


def flat(config: Mapping[str, Any], inside: str = "") -> dict[str, Any]:
    """Nested settings by dotted keys: `{"train": {"seed": 0}}` gives `{"train.seed": 0}`."""
    values: dict[str, Any] = {}
    for key, value in config.items():
        dotted = f"{inside}{key}"
        values |= flat(value, f"{dotted}.") if isinstance(value, Mapping) else {dotted: value}
    return values


def with_presets(config: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with the reports' spectrogram by its name, as people write it."""
    data = config.get("data", {})
    if data.get("spectrogram") == SpectrogramConfig().model_dump(mode="json"):
        data = {**data, "spectrogram": "reports"}
    return {**config, "data": data}


def settings(row: BoardRow) -> dict[str, Any]:
    """What decides a row's result but for the seed, by dotted keys; lists as text."""
    own = flat(with_presets(row.config))
    if "model.digest" in own:  # the user's own net: its folder decides nothing
        own["model.family"] = str(own["model.family"]).rpartition("/")[2]
    excluded = own.pop("data.exclude", None)  # a long list, said in short; none where it is empty
    if excluded:
        own["data.exclude"] = said(excluded)
    decisive = {key: _plain(value) for key, value in own.items() if not _is_left_out(key)}
    return {**decisive, "fingerprint": row.fingerprint}


def data_names(rows: Sequence[BoardRow]) -> dict[str | None, str]:
    """Kind and number of classes by the data's fingerprint, which tells apart what reads alike."""
    names = {row.fingerprint: row.data for row in rows}
    several = Counter(names.values())
    return {
        fingerprint: f"{name} {fingerprint[:6]}" if fingerprint and several[name] > 1 else name
        for fingerprint, name in names.items()
    }


def changed_data(rows: Sequence[BoardRow]) -> str:
    """A word where data settings are the same and the data are not; else nothing."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.fingerprint:
            own = {key: value for key, value in settings(row).items() if key.startswith("data.")}
            found[identity(own)].add(row.fingerprint)
    if all(len(fingerprints) < 2 for fingerprints in found.values()):
        return ""
    return "the data of some runs differ though their settings are the same"


def identity(values: Mapping[str, Any]) -> str:
    """The same text for the same settings."""
    return json.dumps(values, sort_keys=True)


def differing(several: Sequence[Mapping[str, Any]]) -> list[str]:
    """The keys in which settings differ, in the order in which they first stand there."""
    keys = dict.fromkeys(key for each in several for key in each)
    return [key for key in keys if len({identity({"": each.get(key)}) for each in several}) > 1]


def network(row: BoardRow) -> str:
    """Family, convolutions × filter length, first channels, what is unusual, dropout, BN."""
    parts = {
        f"{row.family}": row.family,
        f"{row.conv_layers}×{row.kernel}": row.conv_layers and row.kernel,
        f"ch{row.base_channels}": row.base_channels,
        f"fc{row.fc_hidden}": row.fc_hidden,
        f"{row.activation}": row.activation != _UNSAID["activation"] and row.activation,
        f"{row.initializer}": row.initializer != _UNSAID["initializer"] and row.initializer,
        f"do{row.dropout}": row.dropout,
        "BN": row.batch_norm,
    }
    return " ".join(text for text, is_there in parts.items() if is_there)


def other_differences(rows: Sequence[BoardRow]) -> list[str]:
    """For each row the settings that tell it from others and that `network` does not name."""
    named = {f"model.{key}" for key in MODEL_COLUMNS} | {"fingerprint", "model.digest"}
    several = [settings(row) for row in rows]
    keys = [key for key in differing(several) if key not in named]
    return [" ".join(f"{_short(key)}={each.get(key)}" for key in keys) for each in several]


def _short(key: str) -> str:
    return key.partition(".")[2]


def _is_left_out(key: str) -> bool:
    return any(key == each or key.startswith(f"{each}.") for each in NOT_COMPARED)


def _plain(value: Any) -> Any:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else value
