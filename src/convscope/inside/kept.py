"""A model is left exactly as it was found: its mode, its gradients, torch's random numbers."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Within, the model is in evaluation mode, asks for no gradients of its own and may use torch's
    random numbers; at the end all is as it was, also when the body raises.

    Batch norm keeps its statistics, as evaluation does not touch them.
    """
    training = [(module, module.training) for module in model.modules()]
    parameters = [(each, each.requires_grad, each.grad) for each in model.parameters()]
    devices = {each.device for each, _, _ in parameters if each.device.type == "cuda"}
    with torch.random.fork_rng(list(devices)):
        try:
            model.eval()
            for parameter, _, _ in parameters:
                parameter.requires_grad_(False)
            yield
        finally:
            for module, was_training in training:
                module.training = was_training
            for parameter, required, gradient in parameters:
                parameter.requires_grad_(required)
                parameter.grad = gradient
