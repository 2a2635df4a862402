"""Nets as papers have them: every part of a look is made, or skipped with a known sentence."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from convscope.inside.subject.module_subject import OwnModule, subject_of_module
from convscope.inside.subject.subject import Choice
from convscope.inside.tracing.interpolation import stretched
from convscope.looking import look

RATE_HZ = 4000

FILE = '''
import torch
import torch.nn.functional as F
from torch import nn


class M5(nn.Module):
    """W. Dai and others, Very Deep CNNs for Raw Waveforms (2017), small."""

    def __init__(self):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv1d(1, 6, 20, 4), nn.BatchNorm1d(6)
        self.conv2, self.norm2 = nn.Conv1d(6, 8, 3), nn.BatchNorm1d(8)
        self.dense = nn.Linear(8, 5)

    def forward(self, x):
        x = F.max_pool1d(F.relu(self.norm1(self.conv1(x))), 4)
        x = F.max_pool1d(F.relu(self.norm2(self.conv2(x))), 4)
        x = F.avg_pool1d(x, x.shape[-1]).permute(0, 2, 1)
        return F.log_softmax(self.dense(x), dim=2).squeeze()


class CRNN(nn.Module):
    """A log-mel spectrogram within the net, two convolutions over it, a GRU and its last state."""

    def __init__(self):
        super().__init__()
        self.register_buffer("window", torch.hann_window(100))
        self.register_buffer("mel", torch.rand(16, 65) * 0.01)
        self.conv1, self.conv2 = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.gru, self.dense = nn.GRU(16, 8, batch_first=True), nn.Linear(8, 5)

    def forward(self, x):
        z = torch.stft(x[:, 0], 128, 40, 100, self.window, return_complex=True).abs() ** 2
        x = torch.log(self.mel @ z + 1e-6)[:, None]
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        states, _ = self.gru(x.permute(0, 3, 1, 2).flatten(2))
        return self.dense(states[:, -1])


class Dilated(nn.Module):
    """Causal dilated convolutions with residual sums (S. Bai and others, TCN, 2018), small."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv1d(1, 6, 1)
        self.convs = nn.ModuleList(nn.Conv1d(6, 6, 3, dilation=2**i) for i in range(3))
        self.dense = nn.Linear(6, 5)

    def forward(self, x):
        x = self.first(x)
        for i, conv in enumerate(self.convs):
            x = x + F.relu(conv(F.pad(x, (2 * 2**i, 0))))
        return self.dense(x[:, :, -1])


class Branches(nn.Module):
    """Branches of several filter lengths side by side (inception), and what they share beside."""

    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv1d(1, 3, k, padding=k // 2) for k in (3, 9, 27))
        self.dense = nn.Linear(9, 5)

    def forward(self, x):
        maps = torch.cat([F.relu(conv(x)) for conv in self.convs], 1)
        return {"maps": maps, "logits": self.dense(maps.mean(2))}
'''

NETS = ("M5", "CRNN", "Dilated", "Branches")

SKIPPED = (
    "the filters slide over bands and frames that the net makes of the sound itself",
    "deconvnet has no rule for",
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("zoo")
    (folder / "nets.py").write_text(FILE)
    (folder / "clips").mkdir()
    rng = np.random.default_rng(0)
    for i in range(4):
        soundfile.write(folder / "clips" / f"{i}.wav", rng.normal(0, 0.1, 4000), RATE_HZ)
    return folder


@pytest.mark.parametrize("name", NETS)
def test_every_default_part_of_every_net_is_made_or_skipped_with_a_known_sentence(
    files: Path, name: str, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    own = OwnModule(f"{files}/nets.py:{name}", (1, 1600), rate_hz=RATE_HZ, clips=files / "clips")
    looks = look(subject_of_module(own, 4), (), Choice(n=2), tmp_path / "look", lambda *_: None)
    for each in looks:
        assert each.failed is None, (each.part, each.failed)
        if each.skipped is not None:
            assert any(words in each.skipped for words in SKIPPED), (each.part, each.skipped)
    made = {each.part for each in looks if each.files}
    assert {"filters", "maps", "dead", "top", "maximise", "cam"} <= made


def test_maps_within_a_spectrogram_are_stretched_over_the_clip_by_their_frames() -> None:
    maps = torch.zeros(1, 3, 4)  # bands × frames
    maps[0, :, 2] = 1.0
    over = stretched(maps, (40,))
    assert over.shape == (1, 40)
    assert over[0].argmax() in range(20, 30)
    assert stretched(torch.ones(2, 5), (10, 20)).shape == (2, 10, 20)
