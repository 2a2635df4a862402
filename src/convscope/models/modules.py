"""The few modules that torch does not have."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class RReLU(nn.RReLU):
    """x where x > 0, else a · x: a uniform in [lower, upper] in training, their mean in evaluation.

    torch's own draws slopes on a CPU for the negative numbers alone, so that the slopes of one clip
    depend on the clips before it. Here every number has a slope drawn, used or not, in an
    order that does not depend on how x lies in memory.
    """

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            slopes = torch.empty_like(x, memory_format=torch.contiguous_format)
            slopes.uniform_(self.lower, self.upper)
            return x * slopes.masked_fill_(x > 0, 1)
        return F.leaky_relu(x, (self.lower + self.upper) / 2)


class GlobalAverage(nn.Module):
    """(n_clips, n_channels, …) -> (n_clips, n_channels): the mean over all positions."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(2).mean(2)


class LogEnergy(nn.Module):
    """(n_clips, 2 · n_bands, n_times) -> (n_clips, n_bands, n_times): log(a² + b² + offset).

    a are the first n_bands channels and b the others: the two phases of each band.
    """

    offset = 1.6e-3

    def forward(self, x: Tensor) -> Tensor:
        a, b = x.chunk(2, dim=1)
        return torch.log(a.square() + b.square() + self.offset)


class Centre(nn.Module):
    """Each channel of each clip minus its mean over time: loudness and spectral tilt drop out.

    Of log energies it is known as cepstral mean normalisation.
    """

    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(-1, keepdim=True)


class Residual(nn.Sequential):
    """x + parts(x)."""

    def forward(self, x: Tensor) -> Tensor:
        added = x
        for part in self:
            added = part(added)
        return x + added
