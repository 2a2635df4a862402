"""From a spec to a torch module: one builder for waveforms, spectrograms and images."""

import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from convscope.models.initializers import INITIALIZERS, filter_bank
from convscope.models.layers import Layer
from convscope.models.modules import Centre, GlobalAverage, LogEnergy, Residual, RReLU
from convscope.models.plan import plan
from convscope.models.spec import ConvNetSpec, ModelSpec
from convscope.models.user_net import build_user_net
from convscope.types import Shape

# The copy that torch warns of is what `same` padding of an even kernel needs, in Keras as well.
warnings.filterwarnings("ignore", "Using padding='same' with even kernel lengths")


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "rrelu": RReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}
"""With torch's own slopes. rrelu draws its slopes while it trains and then uses their mean."""

CONV: dict[int, type[nn.Conv1d] | type[nn.Conv2d]] = {1: nn.Conv1d, 2: nn.Conv2d}
POOL: dict[int, type[nn.MaxPool1d] | type[nn.MaxPool2d]] = {1: nn.MaxPool1d, 2: nn.MaxPool2d}
NORM: dict[int, type[nn.BatchNorm1d] | type[nn.BatchNorm2d]] = {
    1: nn.BatchNorm1d,
    2: nn.BatchNorm2d,
}


def build(spec: ModelSpec, input_shape: Shape, n_classes: int) -> nn.Module:
    """A network with fresh weights; `torch.manual_seed` decides them.

    Args:
        spec: the network.
        input_shape: of one clip, channels first.
        n_classes: number of logits.

    Returns:
        (n_clips, *input_shape) -> (n_clips, n_classes). For a `ConvNetSpec` an `nn.Sequential`
        whose modules bear the plan's names: `net.conv3`, `net.logits`.

    Raises:
        UserError: if the spec does not fit the input, or the user's own file fails.
    """
    if not isinstance(spec, ConvNetSpec):
        return build_user_net(spec, input_shape, n_classes)
    net = nn.Sequential(_modules(plan(spec, input_shape, n_classes), spec))
    if spec.rule.filter_bank is not None:
        _set_filter_bank(net, spec.rate_hz)
    return net


def _modules(layers: Iterable[Layer], spec: ConvNetSpec) -> OrderedDict[str, nn.Module]:
    return OrderedDict((layer.name, _module(layer, spec)) for layer in layers)


def _module(layer: Layer, spec: ConvNetSpec) -> nn.Module:
    n_dims = len(layer.in_shape) - 1
    match layer.kind:
        case "conv":
            return _initialized(_conv(layer), spec)
        case "dense":
            return _initialized(nn.Linear(layer.in_shape[0], layer.out_shape[0]), spec)
        case "norm":
            return NORM[n_dims](
                layer.out_shape[0], spec.batch_norm_epsilon, spec.batch_norm_momentum
            )
        case "act":
            return ACTIVATIONS[spec.activation]()
        case "pool":
            return _pool(layer)
        case "flatten":
            return nn.Flatten()
        case "average":
            return GlobalAverage()
        case "dropout":
            return nn.Dropout(spec.dropout)
        case "band_dropout":
            return nn.Dropout1d(spec.dropout)
        case "log_energy":
            return LogEnergy()
        case "centre":
            return Centre()
        case "residual":
            return Residual(_modules(layer.parts, spec))


def _conv(layer: Layer) -> nn.Conv1d | nn.Conv2d:
    before, after = layer.padding[0]  # the same along every axis
    return CONV[len(layer.in_shape) - 1](
        layer.in_shape[0],
        layer.out_shape[0],
        layer.kernel,
        layer.stride,
        padding=before if before == after else "same",
        groups=layer.groups,
        bias=layer.bias,
    )


def _pool(layer: Layer) -> nn.MaxPool1d | nn.MaxPool2d:
    """torch pads both sides alike, which `ceil_mode` makes up for where more is needed behind."""
    fronts = tuple(before for before, _ in layer.padding)
    is_padded = any(after > 0 for _, after in layer.padding)
    pool = POOL[len(layer.in_shape) - 1]
    return pool(layer.kernel, layer.stride, padding=fronts, ceil_mode=is_padded)


def _initialized(module: nn.Conv1d | nn.Conv2d | nn.Linear, spec: ConvNetSpec) -> nn.Module:
    """Weights by the spec's initializer, biases zero."""
    INITIALIZERS[spec.initializer](module.weight, getattr(module, "groups", 1))
    with torch.no_grad():
        module.weight.mul_(spec.rule.weight_scale)
    if module.bias is not None:
        nn.init.zeros_(module.bias)
    return module


def _set_filter_bank(net: nn.Sequential, rate_hz: int) -> None:
    """The first convolution of a residual net starts as a filter bank, not at random."""
    weight = net.get_submodule("conv1").weight
    assert isinstance(weight, Tensor)
    with torch.no_grad():
        weight.copy_(filter_bank(len(weight) // 2, weight.shape[2], rate_hz))
