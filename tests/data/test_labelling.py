"""Settings of labels, splits and folds, and that they leave older runs as they were."""

from typing import Any

import pytest

from convscope.data.config import DATA_KINDS, ManifestConfig, MnistConfig, SoundsConfig
from convscope.data.labelling import Labelling
from convscope.errors import UserError
from convscope.settings import validated
from convscope.training.cell import make_cell

PATTERN = "{label}_{speaker}_{take}"


def sounds(**values: Any) -> SoundsConfig:
    return validated(SoundsConfig, values, "data")


@pytest.mark.parametrize("kind", ["sounds", "manifest", "images"])
def test_at_their_defaults_names_and_configs_are_as_before_there_were_these_keys(
    kind: str,
) -> None:
    config = DATA_KINDS[kind](folder="x")
    assert not config.identity().keys() & Labelling.before.keys()
    assert not config.model_dump(mode="json").keys() & Labelling.before.keys()


def test_the_name_of_an_older_run_stays() -> None:
    recipe: dict[str, dict[str, Any]] = {
        "data": {"kind": "sounds", "classes": ["a", "b"]},
        "model": {"family": "custom"},
    }
    assert make_cell(recipe).name == "custom-93374fdb8cc3"


def test_a_name_depends_on_the_fold() -> None:
    def name(**data: Any) -> str:
        values = {"kind": "sounds", "classes": ["a", "b"], **data}
        return make_cell({"data": values, "model": {"family": "custom"}}).name

    names = {name(folds={"n": n}, fold=fold) for n, fold in ((3, 1), (3, 2), (3, 3), (4, 1))}
    assert len(names | {name()}) == 5


def test_settings_come_back_as_they_were_kept() -> None:
    config = sounds(
        pattern=PATTERN, rename={0: "zero"}, group="speaker", folds={"n": 5}, fold=2, folder="x"
    )
    assert config.rename == {"0": "zero"}
    assert validated(SoundsConfig, config.model_dump(mode="json"), "data") == config
    split = sounds(split="stratified", shares=[0.5, 0.25, 0.25])
    assert validated(SoundsConfig, split.model_dump(mode="json"), "data") == split


def test_mnist_keeps_a_split_of_its_own() -> None:
    assert MnistConfig(split="whole").identity()["split"] == "whole"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"pattern": "{digit}_{take}"}, r"data\.pattern: expected the field {label}.*digit, take"),
        ({"pattern": "{label"}, r"data\.pattern: '{label' has a brace"),
        ({"pattern": "{label}_{path}"}, "another name"),
        ({"pattern": PATTERN, "group": "speakr"}, "speakr is no field.*did you mean 'speaker'"),
        ({"group": "speaker"}, "these files have no fields: give data.pattern"),
        ({"shares": [0.8, 0.3, 0.1], "split": "hash"}, "three shares over 0 that make 1"),
        ({"shares": [0.6, 0.2, 0.2]}, "no effect where data.split is files"),
        ({"fold": 1}, r"data\.fold has no effect without data\.folds"),
        ({"folds": {"n": 5}}, r"a fold from 1 to 5, got nothing: .*data\.fold=all"),
        ({"folds": {"n": 5}, "fold": 6}, "a fold from 1 to 5, got 6"),
        ({"folds": {"n": 5}, "fold": "all"}, "all is a grid.*use convscope sweep"),
        ({"folds": {"n": 2}, "fold": 1}, r"data\.folds\.n: expected greater than or equal to 3"),
        ({"folds": {}, "fold": 1}, "expected n, a number of folds, or by"),
        ({"folds": {"n": 5}, "fold": 1, "split": "hash"}, "no effect beside data.folds"),
        ({"rename": ["a"]}, "expected old and new labels"),
        ({"rename": {"a": 1}}, r"expected a label for 'a', got 1: quote it"),
    ],
)
def test_a_slip_is_refused_by_its_key(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        sounds(**values)


def test_a_manifest_has_columns_and_no_pattern() -> None:
    assert ManifestConfig(group="speaker").group == "speaker"
    with pytest.raises(UserError, match="no effect on a manifest"):
        validated(ManifestConfig, {"pattern": PATTERN}, "data")
