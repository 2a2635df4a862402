"""Settings that came later: names of older runs stay, and such a run is read as it was made."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import nn

from convscope.data.dataset import Dataset
from convscope.models.spec import ConvNetSpec, make_spec
from convscope.run import BEFORE, CONFIG, PREDICTIONS, Run
from convscope.training.cell import Cell, cell_of, make_cell
from convscope.training.checkpoint import load_trained
from convscope.training.config import TrainConfig
from convscope.training.fit import fit
from convscope.training.optimizer import make_optimizer

WORDS = {"kind": "words", "folder": "d", "words": ["zero", "one"]}
SPECTROGRAM = {**WORDS, "spectrogram": "reports"}
NAMES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"family": "baseline1d", "pool_padding": "behind"}, WORDS, "baseline1d-6b38626deedd"),
    ({"family": "baseline2d"}, SPECTROGRAM, "baseline2d-0298945f13e3"),
    ({"family": "custom"}, WORDS, "custom-4504b5eff062"),
    ({"family": "residual"}, WORDS, "residual-128601a0218c"),
    ({"family": "long_filter"}, WORDS, "long_filter-0973bacbfdea"),
]
"""As they were before there was `pool_padding`, the constants of batch norm, or Adam's epsilon."""


def cell(model: dict[str, Any], data: dict[str, Any] = WORDS, **train: Any) -> Cell:
    return make_cell({"data": data, "model": model, "train": {"seed": 3, **train}})


@pytest.mark.parametrize(("model", "data", "name"), NAMES)
def test_a_net_that_is_as_before_has_the_name_it_had(
    model: dict[str, Any], data: dict[str, Any], name: str
) -> None:
    assert cell(model, data).name == name


@pytest.mark.parametrize(
    ("model", "train"),
    [
        ({"pool_padding": "same"}, {}),
        ({"batch_norm_momentum": 0.01}, {}),
        ({"batch_norm_epsilon": 1e-3}, {}),
        ({}, {"adam_epsilon": 1e-7}),
    ],
)
def test_what_changes_the_result_changes_the_name(
    model: dict[str, Any], train: dict[str, Any]
) -> None:
    before = {"family": "baseline1d", "pool_padding": "behind"}
    assert cell({**before, **model}, **train).name != cell(before).name


def test_a_baseline1d_is_padded_as_keras_does_and_has_another_name_than_before() -> None:
    assert cell({"family": "baseline1d"}) == cell({"family": "baseline1d", "pool_padding": "same"})


def test_a_filter_bank_is_built_for_the_rate_of_the_data() -> None:
    slow = cell({"family": "residual"}, {**WORDS, "rate_hz": 8_000})
    assert isinstance(slow.model, ConvNetSpec)
    assert slow.model.rate_hz == 8_000
    assert make_cell(slow.config) == slow
    as_before = cell({"family": "residual", "rate_hz": 16_000}, {**WORDS, "rate_hz": 8_000})
    assert as_before.name != slow.name


def test_a_run_made_before_banks_had_a_rate_keeps_its_filters(tmp_path: Path) -> None:
    slow = cell({"family": "residual", "rate_hz": 16_000}, {**WORDS, "rate_hz": 8_000})
    config = slow.config
    del config["model"]["rate_hz"]
    run = Run(tmp_path / "run")
    run.write_config(config)
    assert cell_of(run) == slow
    assert cell_of(run).name == slow.name


def as_of_old(run: Run) -> None:
    """Take the settings that came later out of a finished run."""
    config = yaml.safe_load(run.path(CONFIG).read_text())
    for section, keys in BEFORE.items():
        for key in keys:
            del config[section][key]
    run.write_config(config)
    run.finish()


def test_a_run_made_before_is_read_as_the_net_that_was_trained(
    tones: Callable[..., Dataset], tmp_path: Path
) -> None:
    sizes = {"conv_layers": 2, "kernel": 4, "base_channels": 2, "fc_hidden": 0}
    spec = make_spec({"family": "baseline1d", "pool_padding": "behind", **sizes})
    data = tones()  # 400 samples: 397 behind the first convolution, of which 1 is over
    run = fit(spec, data, TrainConfig(epochs=1, threads=1), tmp_path)
    config = run.config
    as_of_old(run)
    assert run.config == config
    assert make_cell(run.config).name == run.name
    trained = load_trained(run)
    clips = torch.from_numpy(data.clips[data.indices("test")])
    with torch.inference_mode():
        logits = trained.net(trained.front(trained.front.scale(clips))).numpy()
        trained.net.get_submodule("pool1").padding = (1,)  # type: ignore[assignment]
        others = trained.net(trained.front(trained.front.scale(clips))).numpy()
    with np.load(run.path(PREDICTIONS)) as kept:
        np.testing.assert_allclose(logits, kept["logits"], atol=1e-5)
        assert np.abs(others - kept["logits"]).max() > 1e-2


def test_the_config_of_a_net_of_ones_own_stays_as_it_is(tmp_path: Path) -> None:
    run = Run(tmp_path / "own")
    own = {"family": "/somewhere/net.py:make_net", "digest": "0" * 64}
    run.write_config({"model": own})
    assert run.config["model"] == own


@pytest.mark.parametrize(("key", "epsilon"), [({}, 1e-8), ({"adam_epsilon": 1e-7}, 1e-7)])
@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_the_first_step_of_adam_is_that_of_its_epsilon(
    optimizer: str, key: dict[str, float], epsilon: float
) -> None:
    net = nn.Linear(1, 1, bias=False).double()
    nn.init.zeros_(net.weight)
    config = TrainConfig(**{"optimizer": optimizer, "learning_rate": 1.0, **key})  # type: ignore[arg-type]
    net.weight.grad = torch.full_like(net.weight, 1e-6)
    make_optimizer(net, config).step()
    assert float(net.weight.detach()) == pytest.approx(-1e-6 / (1e-6 + epsilon), rel=1e-6)
