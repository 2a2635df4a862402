"""Small nets of waveforms, as papers have them."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class LogMel(nn.Module):
    """(n_clips, 1, n_times) to (n_clips, 1, 16, n_frames)."""

    window: Tensor
    bank: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(64))
        self.register_buffer("bank", torch.rand(16, 33, generator=torch.Generator().manual_seed(0)))

    def forward(self, x: Tensor) -> Tensor:
        z = torch.stft(x[:, 0], 64, 32, 64, self.window, return_complex=True).abs() ** 2
        return torch.log(self.bank @ z + 1e-6)[:, None]


class BCResNet(nn.Module):
    """B. Kim and others, Broadcasted Residual Learning (2021): a block with sub-spectral norm."""

    def __init__(self) -> None:
        super().__init__()
        self.mel, self.stem = LogMel(), nn.Conv2d(1, 4, 5, (2, 1), 2)
        self.bands = nn.Conv2d(4, 4, (3, 1), padding=(1, 0), groups=4)
        self.norm, self.frames = nn.BatchNorm2d(16), nn.Conv2d(4, 4, (1, 3), padding=(0, 1))
        self.dense = nn.Conv2d(4, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(self.mel(x)))
        own = self.bands(x)
        n, c, f, t = own.shape
        own = self.norm(own.view(n, c * 4, f // 4, t)).view(n, c, f, t)
        wide = F.silu(self.frames(own.mean(2, keepdim=True)))
        x = F.relu(x + own + wide)
        return self.dense(x.mean((2, 3), keepdim=True)).flatten(1)  # type: ignore[no-any-return]


class MatchboxNet(nn.Module):
    """S. Majumdar and B. Ginsburg (2020): separable convolutions over a log-mel's frames."""

    def __init__(self) -> None:
        super().__init__()
        self.mel, self.stem = LogMel(), nn.Conv1d(16, 8, 11, 2, 5)
        self.own, self.point = nn.Conv1d(8, 8, 5, padding=2, groups=8), nn.Conv1d(8, 8, 1)
        self.last = nn.Conv1d(8, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(self.mel(x)[:, 0]))
        x = F.relu(x + self.point(self.own(x)))
        return self.last(x).mean(2)  # type: ignore[no-any-return]


class SincNet(nn.Module):
    """M. Ravanelli and Y. Bengio (2018): band-passes that are made of two frequencies each."""

    def __init__(self) -> None:
        super().__init__()
        self.low = nn.Parameter(torch.linspace(0.01, 0.2, 6))
        self.second, self.dense = nn.Conv1d(6, 6, 5), nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        t = torch.arange(-15, 16.0)[None]
        low, high = self.low.abs()[:, None], self.low.abs()[:, None] + 0.1
        filters = 2 * high * torch.sinc(2 * high * t) - 2 * low * torch.sinc(2 * low * t)
        x = F.leaky_relu(F.max_pool1d(F.conv1d(x, filters[:, None]), 3))
        return self.dense(F.relu(self.second(x)).mean(2))  # type: ignore[no-any-return]


class Attention(nn.Module):
    """A convolution over a log-mel's frames and a layer of a transformer."""

    def __init__(self) -> None:
        super().__init__()
        self.mel, self.conv = LogMel(), nn.Conv1d(16, 8, 3, padding=1)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.last, self.dense = nn.Conv1d(8, 8, 1), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv(self.mel(x)[:, 0]))
        x = F.relu(self.last(self.layer(x.mT).mT))
        return self.dense(x.mean(2))  # type: ignore[no-any-return]


class Autoencoder(nn.Module):
    """Strides down, transposed convolutions up, and a head on what comes out."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.low = nn.Conv1d(1, 6, 8, 4, 2), nn.Conv1d(6, 6, 3, padding=1)
        self.up, self.last = nn.ConvTranspose1d(6, 6, 8, 4, 2), nn.Conv1d(6, 6, 3, padding=1)
        self.dense = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.low(F.relu(self.down(x))))
        return self.dense(F.relu(self.last(self.up(x))).mean(2))  # type: ignore[no-any-return]


class Einsum(nn.Module):
    """Channels mixed by an einsum, and a sum over times by another."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.second = nn.Conv1d(1, 6, 9, 2), nn.Conv1d(6, 6, 3)
        self.mix, self.out = nn.Parameter(torch.randn(6, 6)), nn.Parameter(torch.randn(5, 6))

    def forward(self, x: Tensor) -> Tensor:
        x = torch.einsum("oc,nct->not", self.mix, F.relu(self.conv(x)))
        return torch.einsum("kc,nct->nk", self.out, F.relu(self.second(x))) / x.shape[-1]


SOUND_NETS = (BCResNet, MatchboxNet, SincNet, Attention, Autoencoder, Einsum)
