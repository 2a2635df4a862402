"""The documentation names every key that a recipe may have, and no other."""

import re
from pathlib import Path

from convscope.data.config import DATA_KINDS, SpectrogramConfig
from convscope.models.families import FAMILIES
from convscope.models.spec import ConvNetSpec
from convscope.settings import Settings
from convscope.sweeps.planning.config import GridConfig, SweepConfig
from convscope.training.augment import AugmentConfig
from convscope.training.config import TrainConfig

PAGE = (Path(__file__).parents[1] / "docs" / "recipes.md").read_text()


def test_every_key_of_a_recipe_has_a_row() -> None:
    settings: list[type[Settings]] = [SpectrogramConfig, ConvNetSpec, TrainConfig, AugmentConfig]
    settings += [GridConfig, SweepConfig, *DATA_KINDS.values()]
    keys = {key for each in settings for key in each.model_fields}
    rows = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    assert rows == keys | {"preset"}


def test_every_family_is_named() -> None:
    assert [name for name in FAMILIES if f"`{name}`" not in PAGE] == []
