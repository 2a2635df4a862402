"""What a recipe says of a sweep: which cells, and how they are trained."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from convscope.data.config import DataConfig
from convscope.servers.admission.limits import Limits
from convscope.settings import Settings, suggest
from convscope.training.config import TrainConfig

AXIS_SECTIONS = ("data", "model", "train")
SEED = "train.seed"

_NOT_IN_NAME = {
    *(f"data.{key}" for key in DataConfig.not_in_name),
    *(f"train.{key}" for key in TrainConfig.not_in_name),
}


class SweepConfig(Settings):
    """How a sweep is trained. Nothing here decides a result, or is in a cell's name."""

    attempts: int = Field(
        3, ge=1, description="in a row without a finished epoch, then the cell is kept as failed"
    )
    silence_seconds: float = Field(
        1800, gt=0, description="a cell without a step or an epoch for so long is killed"
    )
    cell_seconds: float | None = Field(
        None, gt=0, description="the most one attempt may last; null: no end"
    )
    workers_per_gpu: int | None = Field(
        None, ge=1, description="null: as many as fit by measured memory, at most 4"
    )
    limits: Limits | None = Field(None, description="politeness, over that of servers.yaml")


def _seeds(value: Any) -> Any:
    """A number of seeds counts them from 0."""
    if type(value) is int and value > 0:
        return tuple(range(value))
    ok = isinstance(value, list | tuple) and all(type(seed) is int for seed in value)
    if value is not None and not ok:
        raise ValueError(f"expected a number of seeds or a list of them, got {value!r:.80}")
    return value


def _list(value: Any) -> Any:
    """None is an empty list, and one mapping a list of it."""
    if isinstance(value, Mapping):
        return [value]
    if value is not None and not isinstance(value, list | tuple):
        raise ValueError(f"expected keys and values, or a list of such, got {value!r:.80}")
    return value or []


Axes = Annotated[dict[str, Any], BeforeValidator(lambda value: {} if value is None else value)]


class GridConfig(Settings):
    """Axes of values: every combination of one value of each is a cell."""

    product: Axes = Field({}, description="a list of values for a key; each is an axis")
    zip: Annotated[tuple[Axes, ...], BeforeValidator(_list)] = Field(
        (), description="lists of one length for some keys, side by side: one axis; or several such"
    )
    exclude: Annotated[tuple[Axes, ...], BeforeValidator(_list)] = Field(
        (), description="cells left out: those that agree with all keys of an entry"
    )
    seeds: Annotated[tuple[int, ...] | None, BeforeValidator(_seeds)] = Field(
        None, description="a number of seeds, counted from 0, or a list of them"
    )

    @model_validator(mode="after")
    def _axes_are_lists_of_distinct_values(self) -> Self:
        for place, values in self._named_axes():
            _check_list(place, values)
            if not place.startswith("grid.zip."):  # there a value may stand beside several others
                _check_distinct(place, values)
        return self

    @model_validator(mode="after")
    def _zipped_axes_are_equally_long(self) -> Self:
        for axes in self.zip:
            lengths = {key: len(values) for key, values in axes.items()}
            if len(set(lengths.values())) > 1:
                told = ", ".join(f"{key} has {n}" for key, n in lengths.items())
                raise ValueError(f"grid.zip: expected lists of one length, but {told} values")
        return self

    @model_validator(mode="after")
    def _each_key_has_one_axis(self) -> Self:
        places: dict[str, str] = {}
        for place, _ in self._named_axes():
            key = SEED if place == "grid.seeds" else place.split(".", 2)[2]
            for other, there in places.items():
                if f"{key}.".startswith(f"{other}.") or f"{other}.".startswith(f"{key}."):
                    raise ValueError(f"{place} and {there} set the same key: keep one of them")
            places[key] = place
        return self

    @model_validator(mode="after")
    def _keys_can_be_set(self) -> Self:
        for axes in (self.product, *self.zip, *self.exclude):
            for key in axes:
                check_axis_key(key)
        for entry in self.exclude:
            if not entry:
                raise ValueError("grid.exclude: expected keys and values, got an empty entry")
        return self

    def axes(self) -> Iterator[list[dict[str, Any]]]:
        """The axes, slowest first: zip's, product's, the seeds. A point sets one or more keys."""
        for zipped in self.zip:
            rows = zip(*zipped.values(), strict=True)
            yield [dict(zip(zipped, row, strict=True)) for row in rows]
        for key, values in self.product.items():
            yield [{key: value} for value in values]
        if self.seeds is not None:
            yield [{SEED: seed} for seed in self.seeds]

    def _named_axes(self) -> Iterator[tuple[str, Any]]:
        """Each key's list with the place where it stands."""
        yield from ((f"grid.product.{key}", values) for key, values in self.product.items())
        for zipped in self.zip:
            yield from ((f"grid.zip.{key}", values) for key, values in zipped.items())
        if self.seeds is not None:
            yield "grid.seeds", self.seeds


def check_axis_key(key: str) -> None:
    """Refuse a key that no cell has, or that does not tell cells apart.

    Raises:
        ValueError: saying which keys there are.
    """
    section, _, rest = key.partition(".")
    if section not in AXIS_SECTIONS or not rest:
        raise ValueError(
            f"{key}: expected section.key such as model.dropout"
            f"{suggest(section, AXIS_SECTIONS) if section not in AXIS_SECTIONS else ''}"
        )
    if key in _NOT_IN_NAME:
        raise ValueError(f"{key} does not decide a result, so that it makes no cells: set it once")


def _check_list(place: str, values: Any) -> None:
    if not isinstance(values, list | tuple):
        raise ValueError(f"{place}: expected a list of values, got {values!r:.80}")
    if not values:
        raise ValueError(f"{place}: expected at least one value, got an empty list: remove it")


def _check_distinct(place: str, values: Sequence[Any]) -> None:
    for i, value in enumerate(values):
        if any(same(value, other) for other in values[:i]):
            raise ValueError(f"{place}: the value {value!r:.80} stands there twice: keep one")


def same(value: Any, other: Any) -> bool:
    """Whether two values of a recipe are one; true is not 1."""
    return bool(value == other) and isinstance(value, bool) == isinstance(other, bool)


def matches(value: Any, wanted: Any) -> bool:
    """Whether a value is the wanted one, or any of a list of them."""
    several = wanted if isinstance(wanted, list) else []
    return same(value, wanted) or any(same(value, each) for each in several)
