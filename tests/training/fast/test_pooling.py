"""Pooling with bias and activation: the definition, in plain torch and in the kernels."""

import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from convscope.models.cnn import build
from convscope.models.families import FAMILIES
from convscope.models.modules import RReLU
from convscope.models.spec import make_spec
from convscope.training.fast import pooling
from convscope.training.fast.accelerated import accelerated
from convscope.training.fast.pooling import Windows, pooled

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
NEEDS_TRITON = "needs Triton, which is there for Linux alone"

RISING = {
    "none": None,
    "relu": nn.ReLU(),
    "leaky_relu": nn.LeakyReLU(0.2),
    "tanh": nn.Tanh(),
    "elu": nn.ELU(0.7),
}
OTHERS = {"gelu": nn.GELU(), "silu": nn.SiLU(), "rrelu": RReLU(), "falling": nn.LeakyReLU(-0.3)}

SHAPES: list[tuple[tuple[int, int, int, int], Windows]] = [
    ((3, 5, 1, 17), Windows((1, 2))),
    ((3, 5, 1, 17), Windows((1, 2), ceil=True)),
    ((3, 5, 1, 18), Windows((1, 4), (0, 1), ceil=True)),
    ((2, 8, 11, 1), Windows((3, 1))),
    ((2, 3, 7, 9), Windows((2, 2))),
    ((2, 3, 7, 9), Windows((3, 3), ceil=True)),
    ((2, 3, 7, 9), Windows((4, 4), (0, 1), ceil=True)),
    ((2, 3, 6, 9), Windows((4, 4), (1, 2))),
    ((1, 1, 4, 4), Windows((4, 4))),
    ((2, 4, 5, 3), Windows()),
    ((1, 131, 1, 40), Windows((1, 2), ceil=True)),
]


def maps(shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Tensor:
    """Normal numbers without ties, channels last."""
    generator = torch.Generator().manual_seed(0)
    numbers = torch.randn(shape, generator=generator).to(DEVICE, dtype)
    return numbers.contiguous(memory_format=torch.channels_last).requires_grad_()


def biases(n: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.linspace(-1, 1, n, dtype=dtype, device=DEVICE, requires_grad=True)


def defined(
    x: Tensor, windows: Windows, activation: nn.Module | None, bias: Tensor | None
) -> Tensor:
    x = x if bias is None else x + bias.to(x.dtype)[:, None, None]
    size, front, ceil = windows
    return F.max_pool2d(activation(x) if activation else x, size, padding=front, ceil_mode=ceil)


def gradients(y: Tensor, *inputs: Tensor) -> list[Tensor]:
    weights = torch.randn(y.shape, generator=torch.Generator().manual_seed(1)).to(y)
    return [y, *torch.autograd.grad(y, inputs, weights)]


def assert_near(got: list[Tensor], expected: list[Tensor], most: float) -> None:
    for one, other in zip(got, expected, strict=True):
        assert one.shape == other.shape
        assert one.dtype == other.dtype
        error = (one - other).detach().double().norm()
        assert error <= most * other.detach().double().norm()


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The kernels, and `pooled` made to use them."""
    pytest.importorskip("triton", reason=NEEDS_TRITON)
    module = importlib.import_module("convscope.training.fast.kernels")
    monkeypatch.setattr(pooling, "kernels", lambda: pooling.Kernels(module))
    monkeypatch.setattr(pooling, "_runs_on_kernels", lambda x, size: True)
    return module


@pytest.mark.parametrize(("shape", "windows"), SHAPES)
@pytest.mark.parametrize("name", RISING)
@pytest.mark.parametrize("biased", [False, True])
def test_kernels_are_the_definition(
    kernels: ModuleType,
    shape: tuple[int, ...],
    windows: Windows,
    name: str,
    biased: bool,
) -> None:
    x, bias = maps(shape), biases(shape[1])
    inputs = (x, bias) if biased else (x,)
    how = windows, RISING[name], bias if biased else None
    y = pooled(x, *how)
    if name == "none" and windows.size == (1, 1):
        assert (y is x) is not biased
    else:
        assert type(y.grad_fn).__name__ == "_PooledBackward"
    assert y.is_contiguous(memory_format=torch.channels_last)
    if y is not x:
        assert_near(gradients(y, *inputs), gradients(defined(x, *how), *inputs), 1e-5)


@pytest.mark.parametrize("name", RISING)
def test_kernels_in_bfloat16_are_near_the_definition_in_float32(
    kernels: ModuleType, name: str
) -> None:
    x, bias = maps((2, 16, 1, 33), torch.bfloat16), biases(16)
    exact = x.detach().float().requires_grad_()
    how = Windows((1, 2)), RISING[name], bias
    got = gradients(pooled(x, *how), x, bias)
    assert [each.dtype for each in got] == [torch.bfloat16, torch.bfloat16, torch.float32]
    assert_near([each.float() for each in got], gradients(defined(exact, *how), exact, bias), 1e-2)


def test_a_gradient_in_another_memory_order_is_taken_as_it_is(kernels: ModuleType) -> None:
    x = maps((2, 3, 4, 6))
    how = Windows((2, 2)), nn.ReLU(), None
    weights = torch.randn(2, 3, 2, 3, device=DEVICE)  # channels first
    got = torch.autograd.grad(pooled(x, *how), x, weights)
    assert_near(list(got), list(torch.autograd.grad(defined(x, *how), x, weights)), 1e-6)


@pytest.mark.parametrize("name", RISING)
def test_what_is_not_a_number_is_kept(kernels: ModuleType, name: str) -> None:
    x = maps((1, 2, 1, 6)).detach()
    x[0, 1, 0, 2] = torch.nan
    y = pooled(x, Windows((1, 2)), RISING[name], torch.zeros(2, device=DEVICE))
    assert y.isnan().nonzero().tolist() == [[0, 1, 0, 1]]


def test_a_place_is_a_byte_within_its_window(kernels: ModuleType) -> None:
    x = torch.tensor([[1.0, 5, 2], [7, 0, 3], [4, 6, 9]], device=DEVICE)[None, None]
    y, place = kernels.forward(x, None, (2, 2), (0, 0), (2, 2), kernels.ACTIVATIONS["none"], 0.0)
    assert y[0, 0].tolist() == [[7, 3], [6, 9]]
    assert place.dtype == torch.uint8
    assert place[0, 0].tolist() == [[2, 2], [1, 0]]


@pytest.mark.parametrize("name", [*RISING, *OTHERS])
@pytest.mark.parametrize(("shape", "windows"), SHAPES[:8])
def test_plain_torch_is_the_definition(name: str, shape: tuple[int, ...], windows: Windows) -> None:
    x = maps(shape, torch.float64)
    bias = biases(shape[1], torch.float64)
    how = windows, {**RISING, **OTHERS}[name], bias
    torch.manual_seed(0)
    expected = gradients(defined(x, *how), x, bias)
    torch.manual_seed(0)
    assert_near(gradients(pooled(x, *how), x, bias), expected, 1e-12)


@pytest.mark.parametrize("name", OTHERS)
def test_with_kernels_other_activations_come_before_the_pool(
    kernels: ModuleType, name: str
) -> None:
    x, bias = maps((2, 3, 1, 9)), biases(3)
    how = Windows((1, 2), ceil=True), OTHERS[name], bias
    torch.manual_seed(0)
    expected = gradients(defined(x, *how), x, bias)
    torch.manual_seed(0)
    assert_near(gradients(pooled(x, *how), x, bias), expected, 1e-5)


COMPILED = """
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, compile

from convscope.training.fast import kernels

types = {"bias_at": "*fp32", "sums_at": "*fp32", "place_at": "*u8", "slope": "fp32"}
fixed = {"KH": 1, "KW": 4, "TOP": 0, "LEFT": 1, "ACT": 4, "BIASED": True}
fixed |= {"WINDOWS": 32, "CHANNELS": 64}
for kernel in (kernels._forward, kernels._backward):
    signature = {
        name: "constexpr" if name in fixed else types.get(name, "*bf16" if "_at" in name else "i32")
        for name in kernel.arg_names
    }
    source = ASTSource(kernel, signature, constexprs=fixed)
    assert ".target sm_90" in compile(source, target=GPUTarget("cuda", 90, 32)).asm["ptx"]
"""


def test_kernels_compile_for_a_gpu_that_is_not_there(tmp_path: Path) -> None:
    pytest.importorskip("triton", reason=NEEDS_TRITON)
    changed = {"TRITON_CACHE_DIR": str(tmp_path), "TRITON_INTERPRET": "0"}
    subprocess.run([sys.executable, "-c", COMPILED], check=True, env={**os.environ, **changed})


def test_without_a_gpu_there_are_no_kernels_and_it_is_said_why() -> None:
    pooling.kernels.cache_clear()
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert pooling.kernels() == (None, "no GPU")


class AsOnGpu(Tensor):
    """A tensor that says it lies on a GPU."""

    is_cuda = True


SMALL: dict[str, dict[str, Any]] = {
    "baseline1d": {"conv_layers": 2, "kernel": 4, "fc_hidden": 0},
    "custom": {"conv_layers": 2},
    "vgg": {"conv_layers": 2},
    "image2d": {"conv_layers": 2},
}


@pytest.mark.parametrize(
    ("family", "pool"),
    [(family, pool) for family in SMALL for pool in ("before", "after")] + [("residual", None)],
)
@pytest.mark.parametrize(("batch_norm", "activation"), [(False, "relu"), (True, "elu")])
def test_nets_on_kernels_have_the_gradient_of_plain_ones(
    monkeypatch: pytest.MonkeyPatch,
    kernels: ModuleType,
    family: str,
    pool: str | None,
    batch_norm: bool,
    activation: str,
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(pooling, "kernels", lambda: pooling.Kernels(kernels))
    keys = {"pool": pool, **SMALL[family]} if pool else {"conv_layers": 6}
    keys |= {"batch_norm": batch_norm, "activation": activation}
    spec = make_spec({"family": family, "base_channels": 3, "dropout": 0.3, **keys})
    shape = (
        (1, 801 if family == "residual" else 101) if FAMILIES[family].n_dims == 1 else (3, 21, 21)
    )
    torch.manual_seed(0)
    net = build(spec, shape, 3).to(DEVICE)
    clips = torch.randn(3, *shape, device=DEVICE)
    answers = []
    called = Mock(wraps=kernels.forward)
    monkeypatch.setattr(kernels, "forward", called)
    for each, x in ((net, clips), (accelerated(net), clips.as_subclass(AsOnGpu))):
        torch.manual_seed(1)
        logits = each(x).as_subclass(Tensor)
        parts = torch.autograd.grad(logits.square().sum(), list(net.parameters()))
        gradient = torch.cat([part.as_subclass(Tensor).flatten() for part in parts])
        answers.append([logits, gradient])
    assert_near(answers[1], answers[0], 1e-4)
    assert called.call_count >= 2
