"""What a unit sees, held against the samples whose change changes it."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from convscope.inside.tracing.fields import Field
from convscope.inside.tracing.layers import Layer, layers_of
from convscope.inside.tracing.record import record

N_TIMES = 48


class Between(nn.Module):
    """Steps between two convolutions."""

    def __init__(self, between: Callable[[Tensor], Tensor], stride: int = 2) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv1d(1, 4, 5, stride, padding=2)
        self.second = nn.Conv1d(4, 4, 3)
        self.between = between

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.second(self.between(self.first(x)))
        return answer


def seen_by(net: nn.Module, layer: Layer) -> list[tuple[int, int]]:
    """For each position the first sample whose change changes a unit, and the one behind the last:
    by gradients, as they are 0 where nothing changes."""
    clip = torch.randn(
        1, 1, N_TIMES, generator=torch.Generator().manual_seed(1), dtype=torch.double
    )
    clip.requires_grad_()
    with record(net, {layer.name: layer}) as recorded:
        net(clip)
    ends = []
    for i in range(layer.shape[-1]):
        (slope,) = torch.autograd.grad(
            recorded[layer.name][..., i].square().sum(), clip, retain_graph=True
        )
        touched = slope[0, 0].nonzero().flatten()
        ends.append((int(touched[0]), int(touched[-1]) + 1))
    return ends


up = torch.randn(4, 4, 4, generator=torch.Generator().manual_seed(2), dtype=torch.double)
LOCAL: dict[str, Callable[[Tensor], Tensor]] = {
    "cropped": lambda x: x[..., 3:-2],
    "every other": lambda x: x[..., 1::2],
    "narrowed": lambda x: x.narrow(-1, 4, 12),
    "negative padding": lambda x: F.pad(x, (-2, 1)),
    "halves, the later": lambda x: x.chunk(2, -1)[1],
    "transposed convolution": lambda x: F.conv_transpose1d(x, up, stride=2, padding=1),
    "transposed convolution, dilated": lambda x: F.conv_transpose1d(x, up, dilation=2),
    "nearest": lambda x: F.interpolate(x, scale_factor=2.0),
    "linear": lambda x: F.interpolate(x, scale_factor=2.0, mode="linear"),
    "down and up": lambda x: x + F.interpolate(F.max_pool1d(x, 2), scale_factor=2.0),
    "unfolded": lambda x: x.unfold(-1, 4, 2).sum(-1),
    "turned and back": lambda x: x.mT.tanh().mT,
    "folded and back": lambda x: x.view(1, 2, 2, -1).transpose(1, 2).reshape(1, 4, -1),
    "joined ahead": lambda x: torch.cat([torch.zeros(1, 4, 1, dtype=x.dtype), x], -1),
    "mixed channels": lambda x: torch.einsum("oc,nct->not", up[0], x),
    "matrix": lambda x: up[0] @ x,
    "pooled to half": lambda x: F.adaptive_avg_pool1d(x, x.shape[-1] // 2),
}


@pytest.mark.parametrize("name", LOCAL)
def test_a_field_holds_all_samples_that_change_a_unit_and_no_more_on_either_side(name: str) -> None:
    net = Between(LOCAL[name]).double().eval()
    layer = layers_of(net, torch.zeros(1, 1, N_TIMES, dtype=torch.double))["conv2"]
    assert layer.fields is not None
    (field,) = layer.fields
    real = seen_by(net, layer)
    for i, (start, stop) in enumerate(real):
        assert max(field.of(i)[0], 0) <= start
        assert min(field.of(i)[1], N_TIMES) >= stop
    inside = [i for i in range(len(real)) if field.of(i)[0] >= 0 and field.of(i)[1] <= N_TIMES]
    assert any(field.of(i)[0] == real[i][0] for i in inside)
    assert any(field.of(i)[1] == real[i][1] for i in inside)


class Recurrent(nn.Module):
    def __init__(self, kind: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = getattr(nn, kind)(4, 2, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor) -> Tensor:
        states: Tensor = self.net(x.mT)[0]
        return states.mT


class Attending(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        x = x.mT
        answer: Tensor = self.net(x, x, x, need_weights=False)[0]
        return answer.mT


def by_hand(x: Tensor) -> Tensor:
    return ((x.mT @ x).softmax(-1) @ x.mT).mT


WHOLE: dict[str, Callable[[Tensor], Tensor]] = {
    "GRU": Recurrent("GRU").double(),
    "LSTM": Recurrent("LSTM").double(),
    "attention": Attending().double(),
    "attention by hand": by_hand,
    "dot products": lambda x: F.scaled_dot_product_attention(x.mT, x.mT, x.mT).mT,
    "softmax": lambda x: x.softmax(-1),
    "gate": lambda x: x * x.mean(-1, keepdim=True).sigmoid(),
}


@pytest.mark.parametrize("name", WHOLE)
def test_through_attention_and_recurrence_a_unit_sees_the_whole_clip(name: str) -> None:
    net = Between(WHOLE[name]).double().eval()
    layer = layers_of(net, torch.zeros(1, 1, N_TIMES, dtype=torch.double))["conv2"]
    assert layer.fields is not None
    assert layer.fields[0].is_whole
    assert layer.fields[0].sees_all(layer.shape[-1], N_TIMES)
    real = seen_by(net, layer)
    assert (min(start for start, _ in real), max(stop for _, stop in real)) == (0, N_TIMES)
    assert all(stop - start > 40 for start, stop in real)
    local = layers_of(Between(lambda x: x).double(), torch.zeros(1, 1, N_TIMES).double())["conv2"]
    assert local.fields is not None
    assert [layer.fields[0].centre(i) for i in (0, 9)] == [
        local.fields[0].centre(i) for i in (0, 9)
    ]


class Spectral(nn.Module):
    """A spectrum of a waveform, as power over bins or over bands of a bank, and a convolution."""

    def __init__(self, bank: Tensor | None = None) -> None:
        super().__init__()
        self.conv, self.bank = nn.Conv2d(1, 2, 3), bank

    def forward(self, x: Tensor) -> Tensor:
        z = torch.stft(x[:, 0], 16, 4, 8, torch.ones(8, dtype=x.dtype), return_complex=True)
        power = z.abs() ** 2
        if self.bank is not None:
            power = self.bank @ power
        answer: Tensor = self.conv(power[:, None])
        return answer


def test_behind_an_stft_frames_have_windows_and_bins_have_frequencies() -> None:
    net = Spectral().double()
    layer = layers_of(net, torch.zeros(1, 1, N_TIMES, dtype=torch.double))["conv1"]
    assert layer.fields is None
    assert layer.view is not None
    time, bins = layer.view
    assert time is not None
    assert bins is not None
    assert (time.dim, bins.dim) == (3, 2)
    assert time.field == Field(size=8 + 2 * 4, stride=4, start=-4)
    real = seen_by(net, replace(layer, fields=None))
    assert [time.field.of(i) for i in range(1, 9)] == real[1:9]
    assert bins.bands == tuple(k / 16 for k in range(9))
    assert bins.field == Field(size=3)


def test_the_bands_of_a_bank_lie_at_the_mean_of_their_bins() -> None:
    bank = torch.zeros(3, 9, dtype=torch.double)
    bank[0, 1], bank[1, 2:4], bank[2, 8] = 1.0, 0.5, 2.0
    net = Spectral(bank).double()
    layer = layers_of(net, torch.zeros(1, 1, N_TIMES, dtype=torch.double))["conv1"]
    assert layer.view is not None
    assert layer.view[1] is not None
    assert layer.view[1].bands == pytest.approx((1 / 16, 2.5 / 16, 8 / 16))
