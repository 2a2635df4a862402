"""A model is left exactly as it was found: mode, gradients, buffers, torch's random numbers."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.parameter import is_lazy


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Within, the model is in evaluation mode, asks for no gradients of its own and may use torch's
    random numbers; at the end all is as it was, also when the body raises.

    Its buffers are stood in for by copies, on which a net may count, or keep statistics: so a graph
    of before that needs them still goes backwards.
    """
    training = [(module, module.training) for module in model.modules()]
    parameters = [(each, each.requires_grad, each.grad) for each in model.parameters()]
    buffers = [
        (module, name, buffer)
        for module in model.modules()
        for name, buffer in module._buffers.items()
        if buffer is not None and not is_lazy(buffer)
    ]
    copies = {id(buffer): buffer.detach().clone() for _, _, buffer in buffers}
    devices = {each.device for each, _, _ in parameters if each.device.type == "cuda"}
    with torch.random.fork_rng(list(devices)):
        try:
            model.eval()
            for parameter, _, _ in parameters:
                parameter.requires_grad_(False)
            for module, name, buffer in buffers:
                module._buffers[name] = copies[id(buffer)]
            yield
        finally:
            for module, was_training in training:
                module.training = was_training
            for parameter, required, gradient in parameters:
                parameter.requires_grad_(required)
                parameter.grad = gradient
            for module, name, buffer in buffers:
                module._buffers[name] = buffer
