"""A net executed channels last is the same function, with the same gradient and random numbers."""

from copy import deepcopy
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from convscope.models.cnn import build
from convscope.models.families import FAMILIES
from convscope.models.modules import RReLU
from convscope.models.spec import make_spec
from convscope.training.accumulation.heap import keep_freed_memory
from convscope.training.fast import convolution
from convscope.training.fast.accelerated import _windows, accelerated
from convscope.training.fast.convolution import convolved

SMALL: dict[str, dict[str, Any]] = {
    "baseline1d": {"conv_layers": 2, "fc_hidden": 1},
    "baseline2d": {"conv_layers": 2},
    "custom": {"conv_layers": 4, "kernel": 4},
    "vgg": {"conv_layers": 4},
    "long_filter": {"conv_layers": 3, "kernel": 40},
    "image2d": {"conv_layers": 3},
    "mnist": {"conv_layers": 2},
    "residual": {"conv_layers": 6},
}
"""A small net of each family."""

ACTIVATIONS = ("relu", "tanh", "rrelu", "leaky_relu", "elu", "gelu", "silu")
CASES = [
    *product(FAMILIES, ["rrelu", "relu"], ["after"], [True, False]),
    *product(["custom", "image2d"], ACTIVATIONS, ["after", "before"], [True, False]),
]


@pytest.fixture(autouse=True)
def short_rows(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Rows so short that small nets' are cut; one thread."""
    monkeypatch.setattr(convolution, "ROW", 30)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def small_net(family: str, **keys: Any) -> tuple[nn.Module, Tensor]:
    """A net as an engine holds it, and five clips of odd size."""
    shape = (1, 805) if FAMILIES[family].n_dims == 1 else (1, 33, 27)
    spec = make_spec(
        {"family": family, "base_channels": 3, "dropout": 0.4, **SMALL[family], **keys}
    )
    torch.manual_seed(1)
    net = build(spec, shape, 4)
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return net, torch.randn(5, *shape)


def answer(net: nn.Module, forward: Any, clips: Tensor) -> tuple[Tensor, Tensor]:
    """Logits and the whole gradient of a step, with the same random numbers each time."""
    torch.manual_seed(2)
    net.zero_grad(set_to_none=True)
    logits = forward(clips)
    F.cross_entropy(
        logits.float() if logits.dtype == torch.bfloat16 else logits, torch.arange(len(clips)) % 4
    ).backward()
    gradients = [p.grad.flatten() for p in net.parameters() if p.grad is not None]
    return logits.detach(), torch.cat(gradients)


def apart(one: Tensor, other: Tensor) -> float:
    return float((one - other).norm() / other.norm())


@pytest.mark.parametrize(("family", "activation", "pool", "batch_norm"), sorted(set(CASES)))
def test_logits_gradient_and_statistics_are_those_of_the_net(
    family: str, activation: str, pool: str, batch_norm: bool
) -> None:
    if family == "residual" and pool == "before":
        return
    keys = {"activation": activation, "pool": pool, "batch_norm": batch_norm}
    net, clips = small_net(family, **keys)
    net, clips = net.double(), clips.double()
    forward = accelerated(net)
    assert forward is not net
    logits, gradient = answer(net, net, clips)
    statistics = [each.clone() for each in net.buffers()]
    net.load_state_dict(small_net(family, **keys)[0].state_dict())
    fast_logits, fast_gradient = answer(net, forward, clips)
    assert apart(fast_logits, logits) < 1e-12
    assert apart(fast_gradient, gradient) < 1e-9
    for mine, theirs in zip(net.buffers(), statistics, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-12)
    net.eval()
    with torch.inference_mode():
        assert apart(forward(clips), net(clips)) < 1e-12


@pytest.mark.parametrize("family", ["custom", "image2d"])
def test_bfloat16_with_relu_is_that_of_the_net(family: str) -> None:
    net, clips = small_net(family, dropout=0.0)
    with torch.autocast("cpu", torch.bfloat16):
        theirs, mine = answer(net, net, clips), answer(net, accelerated(net), clips)
    assert apart(mine[0].float(), theirs[0].float()) < 5e-2
    assert apart(mine[1], theirs[1]) < 5e-2


@pytest.mark.parametrize("pool", ["after", "before"])
@pytest.mark.parametrize("family", ["custom", "image2d"])
def test_bfloat16_with_tanh_is_no_farther_from_float64_than_the_net_is(
    family: str, pool: str
) -> None:
    """Rounded before or after the pooling, other points tie: the two differ by up to 0.1."""
    net, clips = small_net(family, activation="tanh", dropout=0.0, pool=pool)
    exact = deepcopy(net).double()
    _, truth = answer(exact, exact, clips.double())
    with torch.autocast("cpu", torch.bfloat16):
        theirs, mine = answer(net, net, clips)[1], answer(net, accelerated(net), clips)[1]
    assert apart(mine.double(), truth) < 1.25 * apart(theirs.double(), truth)


@pytest.mark.parametrize("n_clips", [1, 3])
@pytest.mark.parametrize("width", [61, 90, 97])
@pytest.mark.parametrize("kernel", [1, 4, 5, 24, 25, 41])
def test_a_gradient_over_cut_rows_is_that_of_whole_ones(
    n_clips: int, width: int, kernel: int
) -> None:
    torch.manual_seed(0)
    conv = nn.Conv1d(2, 3, kernel, padding="same").double()
    x = torch.randn(n_clips, 2, width, dtype=torch.float64, requires_grad=True)
    assert conv.bias is not None
    asked = [x, conv.weight, conv.bias]
    dy = torch.randn(n_clips, 3, width, dtype=torch.float64)
    theirs = torch.autograd.grad(conv(x).relu(), asked, dy)
    lifted = x.unsqueeze(2).contiguous(memory_format=torch.channels_last)
    mine = torch.autograd.grad(convolved(lifted, conv, relu=True).squeeze(2), asked, dy)
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kernel", [5, 40])
def test_maps_of_two_dimensions_strides_and_groups(kernel: int) -> None:
    torch.manual_seed(0)
    for options in ({"stride": 3}, {"groups": 2}, {"padding": 2}, {"bias": False}):
        conv = nn.Conv2d(4, 6, (3, kernel), **options).double()
        x = torch.randn(2, 4, 9, 70, dtype=torch.float64, requires_grad=True)
        theirs = conv(x)
        mine = convolved(x.contiguous(memory_format=torch.channels_last), conv)
        torch.testing.assert_close(mine, theirs)
        asked, dy = [x, *conv.parameters()], torch.randn_like(theirs)
        for one, other in zip(
            torch.autograd.grad(mine, asked, dy),
            torch.autograd.grad(theirs, asked, dy),
            strict=True,
        ):
            torch.testing.assert_close(one, other)


@pytest.mark.parametrize("height", [2, 3])
def test_a_kernel_higher_than_a_map_of_one_row(height: int) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(2, 3, (height, 5), padding="same").double()
    x = torch.randn(2, 2, 1, 97, dtype=torch.float64)
    lifted = x.contiguous(memory_format=torch.channels_last)
    [theirs] = torch.autograd.grad(conv(x).square().sum(), [conv.weight])
    [mine] = torch.autograd.grad(convolved(lifted, conv).square().sum(), [conv.weight])
    torch.testing.assert_close(mine, theirs)


class OwnReLU(nn.ReLU):
    """What a user may do with a known module."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + 1


@pytest.mark.parametrize(
    "layers",
    [
        [nn.Conv1d(1, 2, 3), OwnReLU(), nn.Flatten()],
        [nn.Conv1d(1, 2, 3, dilation=2), nn.Flatten()],
        [nn.Conv1d(1, 2, 3, padding=1, padding_mode="circular"), nn.Flatten()],
        [nn.Conv1d(1, 2, 3), nn.MaxPool1d(3, stride=1), nn.Flatten()],
        [nn.Conv1d(1, 2, 3), nn.Dropout(), nn.Flatten()],
        [nn.Conv1d(1, 2, 3), nn.BatchNorm1d(2, track_running_stats=False), nn.Flatten()],
        [nn.Conv1d(1, 2, 3), nn.Flatten(0)],
        [nn.Conv1d(1, 2, 3)],
    ],
)
def test_a_net_with_what_is_not_known_is_executed_as_it_is(layers: list[nn.Module]) -> None:
    net = nn.Sequential(*layers)
    assert accelerated(net) is net
    assert accelerated(nn.ModuleList(layers)) is not None


@pytest.mark.parametrize("n", range(4, 13))
@pytest.mark.parametrize("ceil", [False, True])
def test_padded_pools_of_ones_own_have_as_many_windows_as_torch_counts(n: int, ceil: bool) -> None:
    clips = torch.randn(2, 1, n), torch.randn(2, 1, n, 7)
    pools: list[nn.MaxPool1d | nn.MaxPool2d] = [
        nn.MaxPool1d(4, padding=front, ceil_mode=ceil) for front in (0, 1, 2)
    ]
    pools += [nn.MaxPool2d((4, 3), padding=(front, 1), ceil_mode=ceil) for front in (0, 1, 2)]
    for pool in pools:
        x = clips[isinstance(pool, nn.MaxPool2d)]
        net = nn.Sequential(nn.ReLU(), pool, nn.Flatten())
        fast = accelerated(net)
        assert fast is not net
        assert torch.equal(fast(x), net(x))
        height, width = (1, n) if x.ndim == 3 else (n, 7)
        assert _windows(pool).over(height, width)[1 if x.ndim == 3 else 0] == pool(x).shape[2]


ONE = nn.Tanh()
LAYER = nn.Conv1d(1, 1, 3, padding=1)


@pytest.mark.parametrize(
    "layers",
    [
        [nn.Conv1d(1, 2, 3, padding=1), ONE, nn.Conv1d(2, 1, 3, padding=1), ONE, nn.Flatten()],
        [LAYER, nn.ReLU(), LAYER, nn.Flatten()],
        [nn.BatchNorm1d(1), nn.Flatten(), nn.Linear(20, 2)],
        [nn.Flatten(), nn.Linear(20, 2)],
        [nn.Flatten(), nn.Unflatten(1, (2, 10)), nn.Conv1d(2, 1, 3)],
    ],
)
def test_a_net_of_ones_own_that_takes_a_module_twice_or_has_no_maps(
    layers: list[nn.Module],
) -> None:
    net, clips = nn.Sequential(*layers), torch.randn(3, 1, 20)
    torch.testing.assert_close(accelerated(net)(clips), net(clips))


def test_hooks_are_called() -> None:
    activation = nn.ReLU()
    activation.register_forward_hook(lambda _module, _inputs, output: output + 1)
    hooked = nn.Sequential(nn.Conv1d(1, 2, 3), activation, nn.Flatten())
    assert accelerated(hooked) is hooked


def test_random_slopes_do_not_depend_on_memory_order() -> None:
    x = torch.randn(3, 4, 5, 6)
    torch.manual_seed(0)
    plain = RReLU()(x)
    torch.manual_seed(0)
    torch.testing.assert_close(RReLU()(x.contiguous(memory_format=torch.channels_last)), plain)


def test_the_clips_and_the_net_are_left_as_they_are() -> None:
    net, clips = small_net("custom")
    before, state = clips.clone(), {k: v.clone() for k, v in net.state_dict().items()}
    accelerated(net)(clips)
    torch.testing.assert_close(clips, before, rtol=0, atol=0)
    assert all(torch.equal(v, state[k]) for k, v in net.state_dict().items())


def test_where_the_c_library_is_another_the_heap_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keep_freed_memory()
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    keep_freed_memory()
