"""Small nets of images, as papers have them."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ResNet18(nn.Module):
    """K. He and others, Deep Residual Learning (2016): a stem and two blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 4, 7, 2, 3, bias=False), nn.BatchNorm2d(4)
        self.convs = nn.ModuleList(nn.Conv2d(4, 4, 3, padding=1, bias=False) for _ in range(4))
        self.norms = nn.ModuleList(nn.BatchNorm2d(4) for _ in range(4))
        self.dense = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.norm(self.stem(x))), 3, 2, 1)
        for i in (0, 2):
            own = F.relu(self.norms[i](self.convs[i](x)))
            x = F.relu(x + self.norms[i + 1](self.convs[i + 1](own)))
        answer: Tensor = self.dense(F.adaptive_avg_pool2d(x, 1).flatten(1))
        return answer


class MobileNetV2(nn.Module):
    """M. Sandler and others (2018): an inverted residual block."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.wide = nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 8, 1)
        self.own, self.thin = nn.Conv2d(8, 8, 3, 1, 1, groups=8), nn.Conv2d(8, 4, 1)
        self.dense = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu6(self.stem(x))
        x = x + self.thin(F.relu6(self.own(F.relu6(self.wide(x)))))
        answer: Tensor = self.dense(x.mean((2, 3)))
        return answer


class UNet(nn.Module):
    """O. Ronneberger and others (2015), with a head: down, up, joined with what was before."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.low = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.up, self.last = nn.ConvTranspose2d(4, 4, 2, 2), nn.Conv2d(8, 4, 3, padding=1)
        self.dense = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        before = F.relu(self.down(x))
        low = F.relu(self.low(F.max_pool2d(before, 2)))
        x = F.relu(self.last(torch.cat([before, self.up(low)], 1)))
        answer: Tensor = self.dense(x.mean((2, 3)))
        return answer


class DenseNet(nn.Module):
    """G. Huang and others (2017): each layer is given all before it."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(3 + 2 * i, 2, 3, padding=1) for i in range(3))
        self.dense = nn.Linear(9, 5)

    def forward(self, x: Tensor) -> Tensor:
        for conv in self.convs:
            x = torch.cat([x, F.relu(conv(x))], 1)
        answer: Tensor = self.dense(x.mean((2, 3)))
        return answer


class TwoInputs(ResNet18):
    """Asks for two inputs."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(x * mask)


IMAGE_NETS = (ResNet18, MobileNetV2, UNet, DenseNet)
