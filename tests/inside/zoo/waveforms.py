"""Small nets of waveforms, as papers have them: convolutions, and one with a spectrum within."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn


class M5(nn.Module):
    """W. Dai and others, Very Deep CNNs for Raw Waveforms (2017), small."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv1d(1, 6, 20, 4), nn.BatchNorm1d(6)
        self.conv2, self.norm2 = nn.Conv1d(6, 8, 3), nn.BatchNorm1d(8)
        self.dense = nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> Any:
        x = F.max_pool1d(F.relu(self.norm1(self.conv1(x))), 4)
        x = F.max_pool1d(F.relu(self.norm2(self.conv2(x))), 4)
        x = F.avg_pool1d(x, x.shape[-1]).permute(0, 2, 1)
        return F.log_softmax(self.dense(x), dim=2).squeeze()


class CRNN(nn.Module):
    """A log-mel spectrogram within the net, two convolutions over it, a GRU and its last state."""

    window: torch.Tensor
    mel: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(100))
        self.register_buffer("mel", torch.rand(16, 65) * 0.01)
        self.conv1, self.conv2 = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.gru, self.dense = nn.GRU(16, 8, batch_first=True), nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> Any:
        z = torch.stft(x[:, 0], 128, 40, 100, self.window, return_complex=True).abs() ** 2
        x = torch.log(self.mel @ z + 1e-6)[:, None]
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        states, _ = self.gru(x.permute(0, 3, 1, 2).flatten(2))
        return self.dense(states[:, -1])


class Dilated(nn.Module):
    """Causal dilated convolutions with residual sums (S. Bai and others, TCN, 2018), small."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(1, 6, 1)
        self.convs = nn.ModuleList(nn.Conv1d(6, 6, 3, dilation=2**i) for i in range(3))
        self.dense = nn.Linear(6, 5)

    def forward(self, x: torch.Tensor) -> Any:
        x = self.first(x)
        for i, conv in enumerate(self.convs):
            x = x + F.relu(conv(F.pad(x, (2 * 2**i, 0))))
        return self.dense(x[:, :, -1])


class Branches(nn.Module):
    """Branches of several filter lengths side by side (inception), and what they share beside."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv1d(1, 3, k, padding=k // 2) for k in (3, 9, 27))
        self.dense = nn.Linear(9, 5)

    def forward(self, x: torch.Tensor) -> Any:
        maps = torch.cat([F.relu(conv(x)) for conv in self.convs], 1)
        return {"maps": maps, "logits": self.dense(maps.mean(2))}


WAVEFORM_NETS = (M5, CRNN, Dilated, Branches)
