"""One training, fully stated: data, model and training settings, and the name made from them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from convscope.data.config import DATA_KINDS, DataConfig, SoundConfig
from convscope.errors import UserError
from convscope.models.describe import describe
from convscope.models.spec import ConvNetSpec, ModelSpec, make_spec
from convscope.run import CONFIG, Run, cell_name
from convscope.settings import validated
from convscope.training.accumulation.micro_batches import check_micro_batch
from convscope.training.augment import check_augment
from convscope.training.config import MODERN_AUGMENT, TRAIN_PRESETS, TrainConfig
from convscope.version import __version__

Known = TypeVar("Known")


@dataclass(frozen=True)
class Cell:
    """One point of a grid, seed included: exactly one training."""

    data: DataConfig
    model: ModelSpec
    train: TrainConfig

    @property
    def identity(self) -> dict[str, Any]:
        """What decides the result: not where data lies, nor the device."""
        return {
            "data": self.data.identity(),
            "model": self.model.identity(),
            "train": self.train.identity(),
        }

    @cached_property
    def name(self) -> str:
        """The name of the run folder: the same for every place where this cell is trained."""
        return cell_name(self.identity)

    @property
    def config(self) -> dict[str, Any]:
        """All settings as plain data: `make_cell(cell.config) == cell`."""
        return {
            "data": self.data.model_dump(mode="json"),
            "model": self.model.model_dump(mode="json"),
            "train": self.train.model_dump(mode="json"),
        }


def make_cell(recipe: Mapping[str, Mapping[str, Any]]) -> Cell:
    """A validated cell from the sections data, model and train.

    Raises:
        UserError: naming the key at fault.
    """
    values = recipe.get("data", {})
    data = validated(data_kind(values), values, "data")
    model = _for_data(make_spec(recipe.get("model", {})), recipe.get("model", {}), data)
    train = _train(recipe.get("train", {}), kind=values["kind"])
    cell = Cell(data, model, train)
    check_augment(cell.train.augment, cell.data)
    check_micro_batch(cell.train, getattr(model, "batch_norm", False))
    return cell


def _for_data(model: ModelSpec, given: Mapping[str, Any], data: DataConfig) -> ModelSpec:
    """A filter bank is built for the data's rate, unless the recipe gives another."""
    if isinstance(model, ConvNetSpec) and isinstance(data, SoundConfig) and "rate_hz" not in given:
        return model.for_rate(data.rate_hz)
    return model


def cell_of(run: Run) -> Cell:
    """The cell of a run.

    Raises:
        UserError: where its settings are not of this version.
    """
    config = run.config
    try:
        return make_cell(config)
    except UserError as error:
        raise UserError(
            f"{run.path(CONFIG)}: {error} (convscope {run.version or 'of an unknown version'} made "
            f"the run, this is {__version__})"
        ) from None


def check_network(cell: Cell) -> None:
    """Refuse a net that cannot be built for its input, before any data is opened.

    Raises:
        UserError: naming the key and the layer at fault.
    """
    describe(cell.model, cell.data.shape, len(cell.data.names or ("one", "other")))


def data_kind(values: Mapping[str, Any]) -> type[DataConfig]:
    """The settings that `kind` among the keys below data asks for.

    Raises:
        UserError: for no kind, or one that there is not.
    """
    return _named("data.kind", values.get("kind"), DATA_KINDS)


def _train(values: Mapping[str, Any], kind: str) -> TrainConfig:
    own = dict(values)
    preset = own.pop("preset", "reports")
    base = _named("train.preset", preset, TRAIN_PRESETS)
    if preset == "modern":
        base = {**base, "augment": MODERN_AUGMENT[kind]}
    return validated(TrainConfig, _merged(base, own), "train")


def _named(key: str, name: Any, known: Mapping[str, Known]) -> Known:
    if not isinstance(name, str) or name not in known:
        came = "nothing" if name is None else repr(name)
        raise UserError(f"{key}: expected one of {', '.join(known)}, got {came}")
    return known[name]


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid on `base`, groups of keys merged key by key."""
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merged(merged[key], value) if both else value
    return merged
