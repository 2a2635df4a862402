"""A spec is whole, frozen, and refuses what makes no sense, by key."""

import hashlib
from pathlib import Path

import pytest
from pydantic import ValidationError

from convscope.errors import UserError
from convscope.models.families import FAMILIES
from convscope.models.spec import ConvNetSpec, UserNet, make_spec

NET = "def make_net(input_shape, n_classes):\n    return None\n"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_alone_gives_a_value_to_every_key(family: str) -> None:
    spec = make_spec({"family": family})
    assert isinstance(spec, ConvNetSpec)
    assert set(spec.model_dump()) == set(ConvNetSpec.model_fields)
    assert FAMILIES[family].defaults.items() <= spec.model_dump().items()
    assert make_spec(spec.model_dump(mode="json")) == spec


def test_what_a_recipe_gives_stands_and_the_family_fills_in_the_rest() -> None:
    spec = make_spec({"family": "custom", "base_channels": 32, "dropout": 0.75})
    assert spec.model_dump() == {
        "family": "custom",
        "conv_layers": 8,
        "kernel": 5,
        "base_channels": 32,
        "fc_hidden": 0,
        "activation": "relu",
        "initializer": "glorot_uniform",
        "dropout": 0.75,
        "batch_norm": False,
        "batch_norm_momentum": 0.1,
        "batch_norm_epsilon": 1e-5,
        "pool": "after",
        "pool_padding": "behind",
        "rate_hz": 16_000,
        "head": "flatten",
    }


def test_the_same_network_has_the_same_identity_however_it_is_written() -> None:
    short = make_spec({"family": "vgg", "dropout": 0})
    whole = make_spec({**short.model_dump(), "dropout": 0.0})
    assert short.identity() == whole.identity()
    assert short.identity() != make_spec({"family": "vgg"}).identity()


def test_a_spec_is_frozen() -> None:
    spec = make_spec({"family": "custom"})
    with pytest.raises(ValidationError, match="frozen"):
        spec.family = "vgg"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, r"^model\.family is missing: give it in the recipe or as model\.family=VALUE$"),
        ({"family": "custm"}, r"^model\.family: expected a family, got 'custm'.*'custom'.*long_fi"),
        ({"family": "wavenet"}, r"known: baseline1d, .*mnist.*; or FILE\.py:make_net for a net"),
        ({"family": 5}, r"^model\.family: expected string, got 5: quote it, model"),
        ({"family": ["custom"]}, r"^model\.family: expected string, got \['custom'\]$"),
        ({"family": "custom", "kernal": 5}, r"^model\.kernal is not a known key.*'kernel'"),
        ({"family": "custom", "kernel": 0}, r"^model\.kernel: expected greater than or equal to 1"),
        ({"family": "custom", "kernel": 5.5}, r"^model\.kernel: expected integer, got 5\.5$"),
        (
            {"family": "custom", "conv_layers": True},
            r"^model\.conv_layers: expected integer, got T",
        ),
        (
            {"family": "custom", "fc_hidden": 3},
            r"^model\.fc_hidden: expected less than or equal to",
        ),
        ({"family": "custom", "dropout": 1}, r"^model\.dropout: expected less than 1, got 1$"),
        ({"family": "custom", "dropout": -0.1}, r"^model\.dropout: expected greater than or equal"),
        (
            {"family": "custom", "batch_norm": "on"},
            r"^model\.batch_norm: expected boolean, got 'on",
        ),
        (
            {"family": "custom", "activation": "relo"},
            r"^model\.activation: expected .*'relo'.*relu",
        ),
        ({"family": "custom", "initializer": "he"}, r"^model\.initializer: .*glorot_uniform"),
        (
            {"family": "custom", "pool": "middle"},
            r"^model\.pool: expected 'after' or 'before', got",
        ),
        (
            {"family": "custom", "head": "max"},
            r"^model\.head: expected 'flatten' or 'average', got",
        ),
        (
            {"family": "vgg", "conv_layers": 7},
            r"^model\.conv_layers: expected 2, 4, 6, …, .*vgg has 2.*take 6 or 8$",
        ),
        ({"family": "vgg", "conv_layers": 1}, r"got 1: take 2$"),
        ({"family": "residual", "conv_layers": 8}, r"expected 6, 10, 14, .* got 8: take 6 or 10$"),
        ({"family": "residual", "conv_layers": 5}, r"got 5: take 6$"),
        ({"family": "residual", "conv_layers": 2}, r"got 2: take 6$"),
        (
            {"family": "residual", "pool": "before"},
            r"^model\.pool: residual has no pooling",
        ),
        (
            {"family": "custom", "pool_padding": "same"},
            r"^model\.pool_padding: custom drops a last, partial window: remove the key$",
        ),
        ({"family": "residual", "pool_padding": "same"}, r"pool_padding: residual has no pooling"),
        ({"family": "custom", "batch_norm_momentum": 0}, r"batch_norm_momentum: .*greater than 0"),
        ({"family": "custom", "batch_norm_epsilon": 0}, r"batch_norm_epsilon: .*greater than 0"),
        ({"family": "long_filter", "kernel": 2}, r"^model\.kernel: expected at least 3.*got 2$"),
    ],
)
def test_a_mistake_is_told_in_one_line_that_names_its_key(
    values: dict[str, object], words: str
) -> None:
    with pytest.raises(UserError, match=words) as caught:
        make_spec(values)
    assert "\n" not in str(caught.value)
    assert ";" not in str(caught.value).split("; or FILE")[0].split("; known")[0]  # one mistake


@pytest.fixture
def net_file(tmp_path: Path) -> Path:
    file = tmp_path / "mine.py"
    file.write_text(NET)
    return file


def test_a_users_net_is_named_by_its_file_function_and_content(net_file: Path) -> None:
    spec = make_spec({"family": f"{net_file}:make_net"})
    assert isinstance(spec, UserNet)
    assert spec.identity() == {
        "family": "mine.py:make_net",
        "digest": hashlib.sha256(NET.encode()).hexdigest(),
    }


def test_a_users_net_keeps_its_identity_in_another_folder(net_file: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    moved = tmp_path / "other" / "mine.py"
    moved.write_bytes(net_file.read_bytes())
    here, there = (make_spec({"family": f"{path}:make_net"}) for path in (net_file, moved))
    assert here.identity() == there.identity()
    moved.write_text(NET + "# changed\n")
    assert make_spec({"family": f"{moved}:make_net"}).identity() != here.identity()


def test_a_users_net_is_found_from_another_folder_and_read_back_without_its_file(
    net_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spec = make_spec({"family": "mine.py:make_net"})
    assert isinstance(spec, UserNet)
    assert spec.path == net_file
    net_file.unlink()
    assert make_spec(spec.model_dump(mode="json")) == spec


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"family": "gone.py:make_net"},
            r"^model\.family: .*gone\.py cannot be read \(No such fil",
        ),
        ({"family": "mine.py"}, r"^model\.family: expected FILE\.py:FUNCTION, got 'mine\.py'$"),
        ({"family": "mine.txt:net"}, r"^model\.family: expected FILE\.py:FUNCTION, got 'mine\.txt"),
        ({"family": "mine.py:2"}, r"^model\.family: expected FILE\.py:FUNCTION, got 'mine\.py:2'$"),
        (
            {"family": "mine.py:make_net", "kernel": 5, "dropout": 0.5},
            r"^model\.kernel has no effect beside model\.family=mine\.py:make_net: the file alone "
            r"decides the network; remove model\.kernel, model\.dropout$",
        ),
        ({"family": "mine.py:make_net", "digest": "x"}, r"^model\.digest: expected .*got 'x'$"),
    ],
)
def test_a_users_net_that_cannot_be_is_refused(
    values: dict[str, object], words: str, net_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(net_file.parent)
    with pytest.raises(UserError, match=words):
        make_spec(values)
