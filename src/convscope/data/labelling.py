"""What a recipe says of labels, groups, splits and folds. It opens no file."""

from collections.abc import Mapping
from math import isclose
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from convscope.data.pattern import PathPattern
from convscope.names import normalised
from convscope.settings import Settings, suggest

SHARES = (0.8, 0.1, 0.1)

PATH, LABEL, SPLIT = "path", "label", "split"
"""Columns of a manifest with a meaning of their own."""


def _new_names(value: Any) -> Any:
    """Old labels to new ones; a label may be a number, which YAML does not read as text."""
    if not isinstance(value, Mapping):
        raise ValueError(f"expected old and new labels, {{old: new}}, got {value!r:.80}")
    for old, new in value.items():
        if not isinstance(new, str) or not new:
            raise ValueError(f'expected a label for {old!r}, got {new!r}: quote it, {old}: "{new}"')
    return {normalised(str(old)): normalised(new) for old, new in value.items()}


def _pattern(value: Any) -> Any:
    if isinstance(value, str):
        fields = PathPattern(value).fields
        if PATH in fields:
            raise ValueError("{path} is the path itself: give the field another name")
    return value


class FoldsConfig(Settings):
    """Cross-validation: each fold is the test set once, and the next one then validates."""

    n: int | None = Field(None, ge=3, le=1000, description="folds to make; null: those given by by")
    by: str | None = Field(
        None, description="with n: what stays together, else data.group; alone: names the fold"
    )
    stratify: bool = Field(True, description="with n: every class in equal shares in every fold")

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        if self.n is None and self.by is None:
            raise ValueError(
                "data.folds: expected n, a number of folds, or by, the field that names the fold, "
                "such as {n: 5} or {by: fold}"
            )
        return self


class Labelling(Settings):
    """How files get their label, their group and their split."""

    before: ClassVar[Mapping[str, Any]] = {
        "pattern": None,
        "rename": {},
        "label": None,
        "group": None,
        "split": "files",
        "shares": SHARES,
        "folds": None,
        "fold": None,
    }

    has_own_fields: ClassVar[bool] = False
    """Whether files have fields without a pattern: the columns of a manifest."""

    pattern: Annotated[str | None, BeforeValidator(_pattern)] = Field(
        None, description="fields of the path below the folder, such as {label}_{speaker}_{take}"
    )
    rename: Annotated[dict[str, str], BeforeValidator(_new_names)] = Field(
        {}, description="new names of labels; two labels of one new name become one class"
    )
    label: str | None = Field(None, description="the field or column that is the label")
    group: str | None = Field(None, description="the field or column that stays on one side")
    split: Literal["files", "hash", "stratified", "lists"] = Field(
        "files", description="who decides: folders or the column, a hash, exact shares, or lists"
    )
    shares: tuple[float, float, float] = Field(
        SHARES, description="of train, validation and test, where split is hash or stratified"
    )
    folds: FoldsConfig | None = None
    fold: int | None = Field(
        None, ge=1, description="the fold that is tested, from 1; all: an axis of a sweep"
    )

    @model_serializer(mode="wrap")
    def _without_what_was_so_before(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Runs made before there were these keys are kept, and compared, as they are."""
        return {
            key: value
            for key, value in dump(self).items()
            if key not in Labelling.before or getattr(self, key) != Labelling.before[key]
        }

    @model_validator(mode="before")
    @classmethod
    def _one_fold(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and values.get("fold") == "all":
            raise ValueError(
                "data.fold: all is a grid, and this takes one training: use convscope sweep, or a "
                "fold from 1"
            )
        return values

    @model_validator(mode="after")
    def _fields_are_there(self) -> Self:
        known = PathPattern(self.pattern).fields if self.pattern else ()
        by = self.folds.by if self.folds else None
        wanted = {"label": self.label, "group": self.group, "folds.by": by}
        if self.pattern and self.label is None and LABEL not in known:
            raise ValueError(
                f"data.pattern: expected the field {{label}} in {self.pattern!r}, or data.label, "
                f"the name of another: there are {', '.join(known)}"
            )
        for key, name in wanted.items():
            if name is None or name in known or self.has_own_fields:
                continue
            if not self.pattern:
                raise ValueError(
                    f"data.{key}={name}: these files have no fields: give data.pattern, such as "
                    f"{{label}}_{{{name}}}_{{}}, or a manifest with the column {name}"
                )
            raise ValueError(
                f"data.{key}: {name} is no field of {self.pattern!r}{suggest(name, known)}"
            )
        return self

    @model_validator(mode="after")
    def _shares_make_one(self) -> Self:
        if min(self.shares) <= 0 or not isclose(sum(self.shares), 1, abs_tol=1e-6):
            raise ValueError(
                f"data.shares: expected three shares over 0 that make 1, for train, validation and "
                f"test, got {', '.join(f'{share:g}' for share in self.shares)}"
            )
        if self.shares != SHARES and self.split not in ("hash", "stratified"):
            raise ValueError(
                f"data.shares has no effect where data.split is {self.split}: set data.split to "
                f"hash or stratified, or leave it out"
            )
        return self

    @model_validator(mode="after")
    def _folds_and_fold_go_together(self) -> Self:
        if self.folds is None:
            if self.fold is not None:
                raise ValueError("data.fold has no effect without data.folds: give both or neither")
            return self
        if self.split != "files":
            raise ValueError(
                f"data.split={self.split} has no effect beside data.folds, which split the clips: "
                f"leave out one of them"
            )
        n = self.folds.n
        if self.fold is None or (n is not None and self.fold > n):
            raise ValueError(
                f"data.fold: expected a fold from 1 to {n or 'their number'}, got "
                f"{'nothing' if self.fold is None else self.fold}: give one, or all of them by "
                f"convscope sweep RECIPE data.fold=all"
            )
        return self
