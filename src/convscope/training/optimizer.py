"""Optimizers by name, the learning rate of every step, and the moving average of weights."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from convscope.training.config import TrainConfig


def make_optimizer(net: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """The recipe's optimizer over all trainable parameters of `net`.

    Weights decay; biases and the scales of batch norm, which have one axis, do not.
    """
    parameters = [p for p in net.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    rate = config.learning_rate
    match config.optimizer:
        case "sgd":
            return torch.optim.SGD(groups, rate, config.momentum)
        case "adam":
            return torch.optim.Adam(groups, rate, eps=config.adam_epsilon, fused=True)
        case "adamw":
            return torch.optim.AdamW(groups, rate, eps=config.adam_epsilon, fused=True)


def learning_rate(config: TrainConfig, epochs_done: float) -> float:
    """The learning rate after a (fractional) number of epochs.

    It rises linearly over the warm-up, then stays (constant) or falls to 0 with the cosine:
    lr · (1 + cos(π · (t − warm-up) / (epochs − warm-up))) / 2.

    Source: Loshchilov and Hutter, SGDR (2017), equation 5, with one cycle.
    """
    warmup = config.warmup_epochs
    if epochs_done < warmup:
        return config.learning_rate * max(epochs_done, 1e-3) / warmup
    if config.schedule == "constant":
        return config.learning_rate
    share = (epochs_done - warmup) / max(config.epochs - warmup, 1)
    return config.learning_rate * (1 + math.cos(math.pi * min(share, 1.0))) / 2


def moving_average(net: nn.Module, share: float) -> AveragedModel | None:
    """A second net of averaged weights, to be given those of `net` after each step; None for 0.

    The first step's weights as they are; after step t = 1, 2, …
    average ← d · average + (1 − d) · weights, with d = min(share, (1 + t) / (10 + t)), so that
    the random start is soon forgotten. Running statistics of batch norm are averaged likewise.

    Source: B. Polyak and A. Juditsky, SIAM J. Control Optim. 30 (1992); d as TensorFlow's
    `ExponentialMovingAverage`.
    """
    if not share:
        return None

    @torch.no_grad()
    def update(averages: Sequence[Tensor], weights: Sequence[Tensor], steps: Tensor | int) -> None:
        kept = min(share, (1 + int(steps)) / (10 + int(steps)))
        for average, weight in zip(averages, weights, strict=True):
            if average.is_floating_point():
                average.lerp_(weight, 1 - kept)
            else:
                average.copy_(weight)  # batch norm counts its batches

    return AveragedModel(net, multi_avg_fn=update, use_buffers=True)
