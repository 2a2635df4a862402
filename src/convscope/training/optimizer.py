"""Optimizers by name, and the learning rate of every step."""

import math

import torch
from torch import nn

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
