"""A voice: from what a word looks like, loudness over bands and time, to its sound.

    x = ISTFT(S · exp(l + hiss − hush exp(−l))),   l[f, t] = Σ_bk M[f, b] c[b, k] A[t, k]

with c the envelope, M and A linear interpolation between bands, evenly spaced in mel, and frames,
A less and less towards the ends of the clip, for a word is short, and S the spectrum of a source of
unit density: a falling buzz below 3 kHz, noise above, drawn anew for each sound. So gradients reach
loudness alone, and no single sample of the sound. `hush` takes the hiss away where no sound is.

Sources: H. Dudley, Remaking Speech, JASA 11 (1939), the vocoder; J. Makhoul and others, A
Mixed-Source Model for Speech Compression and Synthesis, JASA 64 (1978), buzz below and noise above.
"""

import math

import torch
from torch import Tensor, nn

from convscope.types import Shape

N_BANDS = 40
FRAMES_PER_S = 25
WINDOW_S = 0.032
BUZZ_BELOW_HZ = 3000.0
PITCHES_HZ = (100.0, 220.0)
HISS = -4.5  # ln of the source's density where the envelope is 0: a quiet room
WORD_S = 0.75


class Voice(nn.Module):
    """Envelopes (n, 1, n_bands, n_frames) of 0 and above to waveforms (n, 1, n_times).

    Attributes:
        shape: of one envelope.

    Args:
        n_times: of a waveform.
        rate_hz: samples a second.
        seed: of the sources and shifts.
        shift_s: a sound comes so much earlier or later at most, another shift for each.
        hush: by how much the hiss is lowered, in nepers of 8.7 dB.
    """

    window: Tensor
    over_bands: Tensor
    over_frames: Tensor
    buzz_share: Tensor

    def __init__(
        self, n_times: int, rate_hz: int, seed: int = 0, shift_s: float = 0.0, hush: float = 0.0
    ) -> None:
        super().__init__()
        self._n_times, self._rate_hz, self._hush = n_times, rate_hz, hush
        longest = min(WINDOW_S * rate_hz, n_times / 4)
        self._n_window = 2 ** max(2, round(math.log2(longest)))
        self._shift = round(shift_s * rate_hz)
        self._generator = torch.Generator().manual_seed(seed)
        n_frames = max(2, round(FRAMES_PER_S * n_times / rate_hz))
        hop = self._n_window // 4
        hertz = torch.arange(self._n_window // 2 + 1) * rate_hz / self._n_window
        bands = mel(hertz) / mel(hertz[-1]) * (N_BANDS - 1)
        frames = torch.arange(n_times // hop + 1) * hop / n_times * (n_frames - 1)
        seconds = torch.linspace(-0.5, 0.5, n_frames) * n_times / rate_hz
        word = (-((2 * seconds / WORD_S) ** 4)).exp()
        self.shape: Shape = (1, N_BANDS, n_frames)
        self.register_buffer("window", torch.hann_window(self._n_window))
        self.register_buffer("over_bands", _linear(bands, N_BANDS))
        self.register_buffer("over_frames", _linear(frames, n_frames) * word)
        share = torch.sigmoid((BUZZ_BELOW_HZ - hertz) / (BUZZ_BELOW_HZ / 8))
        self.register_buffer("buzz_share", share[:, None])

    def forward(self, envelopes: Tensor) -> Tensor:
        """Their sounds, each from a source of its own."""
        logs = torch.einsum(
            "fb,nbk,tk->nft", self.over_bands, envelopes[:, 0].float(), self.over_frames
        )
        logs = logs + HISS - self._hush * (-logs).exp()
        spectrum = self._source(len(envelopes)).to(logs.device) * logs.exp()
        waves = torch.istft(
            spectrum, self._n_window, self._n_window // 4, window=self.window, length=self._n_times
        )
        return self._shifted(waves)[:, None].to(envelopes.dtype)

    def _source(self, n: int) -> Tensor:
        """(n, n_bins, n_stft_frames): the spectra of buzzes and noises."""
        low, high = PITCHES_HZ
        times = torch.linspace(0, 1, self._n_times)
        pitch = low * (high / low) ** self._random(n, 1) * (1.1 - 0.2 * times)
        turns = (pitch / self._rate_hz).cumsum(1).floor()
        pulses = turns.diff(dim=1, prepend=turns[:, :1]) * (self._rate_hz / pitch).sqrt()
        noise = torch.randn(n, self._n_times, generator=self._generator)
        share = self.buzz_share.cpu()
        return self._stft(pulses) * share.sqrt() + self._stft(noise) * (1 - share).sqrt()

    def _shifted(self, waves: Tensor) -> Tensor:
        shifts = (self._random(len(waves), 1) * (2 * self._shift + 1)).long() - self._shift
        places = (torch.arange(self._n_times) - shifts) % self._n_times
        return waves.gather(1, places.to(waves.device))

    def _random(self, *shape: int) -> Tensor:
        return torch.rand(*shape, generator=self._generator)

    def _stft(self, waves: Tensor) -> Tensor:
        hop, window = self._n_window // 4, self.window.cpu()
        return torch.stft(waves, self._n_window, hop, window=window, return_complex=True)


def mel(hertz: Tensor) -> Tensor:
    """2595 log10(1 + f / 700), D. O'Shaughnessy, Speech Communication (1987)."""
    return 2595 * torch.log10(1 + hertz / 700)


def _linear(places: Tensor, n: int) -> Tensor:
    """(n_places, n) how much each of n whole places counts in linear interpolation."""
    return (1 - (places[:, None] - torch.arange(n)).abs()).clamp_min(0)
