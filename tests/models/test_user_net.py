"""A network of the user's own: built, described, and blamed in one line."""

import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import torch
from torch import nn

from convscope.errors import UserError
from convscope.models.cnn import build
from convscope.models.describe import describe
from convscope.models.rows import flops, n_params
from convscope.models.spec import ModelSpec, make_spec
from convscope.models.user_net import REST, recorded_shapes

GOOD = """
    from torch import nn

    def make_net(input_shape, n_classes):
        return nn.Sequential(
            nn.Conv1d(input_shape[0], 4, 5), nn.BatchNorm1d(4), nn.ReLU(), nn.Dropout(0.5),
            nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, n_classes),
        )
"""


def spec_of(folder: Path, code: str) -> ModelSpec:
    file = folder / "mine.py"
    file.write_text(dedent(code))
    return make_spec({"family": f"{file}:make_net"})


def test_a_users_net_is_what_the_function_makes_and_the_seed_decides_its_weights(
    tmp_path: Path,
) -> None:
    spec = spec_of(tmp_path, GOOD)
    nets = []
    for _ in range(2):
        torch.manual_seed(4)
        nets.append(build(spec, (1, 50), 3))
    assert [type(m) for m in nets[0].modules()] == [type(m) for m in nets[1].modules()]
    for first, second in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        assert torch.equal(first, second)
    assert nets[0](torch.zeros(2, 1, 50)).shape == (2, 3)


def test_trying_a_users_net_leaves_its_modes_and_running_means_as_they_were(
    tmp_path: Path,
) -> None:
    code = GOOD.replace("return nn.Sequential(", "frozen = nn.Sequential(")
    net = build(
        spec_of(tmp_path, code + "        frozen[1].eval()\n        return frozen\n"), (1, 50), 3
    )
    assert net.training
    assert not net.get_submodule("1").training
    assert not net.state_dict()["1.running_mean"].any()
    assert not any(module._forward_hooks for module in net.modules())


def test_a_users_net_is_described_by_one_real_pass(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, GOOD)
    state = torch.get_rng_state()
    rows = describe(spec, (1, 50), 3)
    assert torch.equal(torch.get_rng_state(), state)
    assert [(row.name, row.kind, row.shape) for row in rows] == [
        ("0", "Conv1d", (4, 46)),
        ("1", "BatchNorm1d", (4, 46)),
        ("2", "ReLU", (4, 46)),
        ("3", "Dropout", (4, 46)),
        ("4", "AdaptiveAvgPool1d", (4, 1)),
        ("5", "Flatten", (4,)),
        ("6", "Linear", (3,)),
    ]
    assert [row.params for row in rows] == [24, 8, 0, 0, 0, 0, 15]
    assert [row.flops for row in rows] == [2 * 4 * 5 * 46, 0, 0, 0, 0, 0, 2 * 4 * 3]
    assert [row.activation_bytes for row in rows] == [736, 736, 736, 736, 16, 16, 12]
    assert all(row.receptive_field is None and row.centre is None for row in rows)


def test_a_net_is_left_without_hooks_even_when_its_pass_fails() -> None:
    net = nn.Sequential(nn.Linear(3, 2), nn.Linear(5, 2))
    with pytest.raises(RuntimeError, match="shapes"), recorded_shapes(net) as shapes:
        net(torch.zeros(1, 3))
    assert shapes == {"0": (2,)}
    assert not any(module._forward_hooks for module in net.modules())


def test_what_a_forward_does_itself_and_shared_weights_are_counted_once(tmp_path: Path) -> None:
    code = """
        import torch
        from torch import nn

        class Net(nn.Module):
            def __init__(self, n_times, n_classes):
                super().__init__()
                self.first, self.second = nn.Linear(n_times, n_times), nn.Linear(n_times, n_times)
                self.second.weight = self.first.weight
                self.readout = nn.Parameter(torch.zeros(n_times, n_classes))

            def forward(self, x):
                return self.second(self.first(x[:, 0])) @ self.readout

        def make_net(input_shape, n_classes):
            return Net(input_shape[1], n_classes)
    """
    rows = describe(spec_of(tmp_path, code), (1, 10), 3)
    assert [row.name for row in rows] == ["first", "second", REST]
    assert [row.params for row in rows] == [110, 10, 30]
    assert n_params(rows) == 150
    assert [row.flops for row in rows] == [200, 200, 60]
    assert flops(rows) == 460


def test_a_module_that_is_its_own_only_leaf_is_described(tmp_path: Path) -> None:
    code = """
        import torch
        from torch import nn

        class Mean(nn.Module):
            def __init__(self):
                super().__init__()
                self.scale = nn.Parameter(torch.ones(()))

            def forward(self, x):
                return self.scale * x.mean(-1).expand(-1, 2)

        def make_net(input_shape, n_classes):
            return Mean()
    """
    (row,) = describe(spec_of(tmp_path, code), (1, 10), 2)
    assert (row.kind, row.shape, row.params, row.flops) == ("Mean", (2,), 1, 0)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import nosuch", r"the file failed as it was imported with ModuleNotFoundError: No modul"),
        ("def make_net(:", r"the file failed as it was imported with SyntaxError: "),
        ("import sys; sys.exit(3)", r"the file failed as it was imported with SystemExit: 3$"),
        ("x = 1", r"mine\.py has no function make_net: define make_net\(input_shape, n_classes\)$"),
        ("make_net = 3", r"mine\.py has no function make_net"),
        (
            "def make_net(): pass",
            r"make_net\(\(1, 50\), 3\) failed with TypeError: make_net\(\) ta",
        ),
        ("def make_net(a, b): return 5", r"expected a torch\.nn\.Module, got int$"),
        (
            "from torch import nn\ndef make_net(a, b): return nn.Conv2d(7, 7, 7)",
            r"a batch of shape \(2, 1, 50\) failed with RuntimeError: ",
        ),
        (
            "from torch import nn\ndef make_net(a, b): return nn.Flatten()",
            r"expected logits of shape \(2, 3\) for a batch of 2, got \(2, 50\): return one row",
        ),
        (
            "from torch import nn\ndef make_net(a, b): return nn.RNN(50, 3)",
            r"expected logits of shape \(2, 3\) for a batch of 2, got tuple: ",
        ),
    ],
)
def test_a_users_mistake_is_told_in_one_line(tmp_path: Path, code: str, words: str) -> None:
    spec = spec_of(tmp_path, code)
    with pytest.raises(UserError, match=words) as caught:
        build(spec, (1, 50), 3)
    assert str(caught.value).startswith(f"model.family={tmp_path / 'mine.py'}:make_net: ")
    assert "\n" not in str(caught.value)


HEAD = """
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.read_out = nn.Linear(50, 3)
"""


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            "def forward(self, x): return 1 / 0 if self.training else self.read_out(x[:, 0])",
            r"a batch of shape \(3, 1, 50\) failed in training mode with ZeroDivisionError: ",
        ),
        (
            "def forward(self, x): return self.read_out(x[:2, 0])",
            r"expected logits of shape \(3, 3\) for a batch of 3, got \(2, 3\): return one row",
        ),
        (
            "def forward(self, x): return self.read_out(x[:, 0]).detach()",
            r"the gradient of a batch of shape \(3, 1, 50\) failed with RuntimeError: element 0",
        ),
        (
            "def forward(self, x): self.requires_grad_(False); return self.read_out(x[:, 0])",
            r"expected parameters to train, got 2 with requires_grad=False: give it an nn\.Par",
        ),
        (
            "forward = lambda self, x: x[:, 0, :3]; __init__ = nn.Module.__init__",
            r"expected parameters to train, got none: give it an nn\.Parameter, or a layer that",
        ),
        (
            "def forward(self, x): return self.read_out(x[:, 0])\n"
            "        def get_extra_state(self): return {'steps': 3}",
            r"expected a state_dict of tensors, .* got a dict under '_extra_state': register it",
        ),
    ],
)
def test_what_could_not_be_trained_is_told_in_one_line_before_training(
    tmp_path: Path, body: str, words: str
) -> None:
    code = f"{HEAD}        {body}\n\n    def make_net(input_shape, n_classes): return Net()\n"
    with pytest.raises(UserError, match=words) as caught:
        build(spec_of(tmp_path, code), (1, 50), 3)
    assert str(caught.value).startswith(f"model.family={tmp_path / 'mine.py'}:make_net: ")
    assert "\n" not in str(caught.value)


def test_trying_to_train_leaves_no_gradients_and_no_random_numbers_drawn(tmp_path: Path) -> None:
    names: dict[str, Any] = {}
    exec(dedent(GOOD), names)
    spec = spec_of(tmp_path, GOOD)
    torch.manual_seed(4)
    net = build(spec, (1, 50), 3)
    state = torch.get_rng_state()
    torch.manual_seed(4)
    made = names["make_net"]((1, 50), 3)
    assert torch.equal(state, torch.get_rng_state()), "as if the function alone had been called"
    for name, value in made.state_dict().items():
        assert torch.equal(value, net.state_dict()[name]), name
    assert all(parameter.grad is None for parameter in net.parameters())


def test_a_net_for_which_one_clip_is_too_few_is_told_in_one_line(tmp_path: Path) -> None:
    code = """
        from torch import nn

        class Net(nn.Linear):
            def forward(self, x):
                return super().forward(x.squeeze())

        def make_net(input_shape, n_classes):
            return Net(50, n_classes)
    """
    with pytest.raises(UserError, match=r"shape \(1, 3\) for a batch of 1, got \(3,\)"):
        describe(spec_of(tmp_path, code), (1, 50), 3)


def test_what_a_users_file_prints_does_not_reach_standard_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = GOOD.replace("return nn", "print('made'); return nn") + "    print('read')\n"
    describe(spec_of(tmp_path, code), (1, 50), 3)
    answer = capsys.readouterr()
    assert (answer.out, answer.err.split()) == ("", ["read", "made"])


def test_a_file_that_changed_or_went_is_not_run(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, GOOD)
    (tmp_path / "mine.py").write_text("raise SystemExit")
    with pytest.raises(UserError, match="the file has changed since this network was described"):
        build(spec, (1, 50), 3)
    (tmp_path / "mine.py").unlink()
    with pytest.raises(UserError, match=r"the file cannot be read \(No such file or directory\)"):
        build(spec, (1, 50), 3)


def test_the_file_that_is_run_is_the_one_that_was_hashed_even_if_a_cache_is_stale(
    tmp_path: Path,
) -> None:
    one = """
        from torch import nn

        def make_net(input_shape, n_classes):
            return nn.Sequential(nn.Flatten(), nn.Linear(50, n_classes))
    """
    two = one.replace("nn.Flatten(), ", "nn.Flatten(), nn.Dropout(0.1), ")
    assert len(list(build(spec_of(tmp_path, one), (1, 50), 3).children())) == 2
    assert len(list(build(spec_of(tmp_path, two), (1, 50), 3).children())) == 3
    assert not (tmp_path / "__pycache__").exists()


def test_a_file_may_define_dataclasses(tmp_path: Path) -> None:
    code = "from __future__ import annotations\nfrom dataclasses import dataclass\n" + dedent(GOOD)
    code += "\n@dataclass\nclass Sizes:\n    n: int = 1\n"
    assert isinstance(build(spec_of(tmp_path, code), (1, 50), 3), nn.Module)
    assert any(name.startswith("convscope_user_") for name in sys.modules)
