"""A net that is held against a brain: from stimuli of full scale 1 to its layers."""

import copy
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from convscope.brain.records import StimulusKind
from convscope.data.config import MnistConfig, SoundConfig
from convscope.errors import UserError
from convscope.inside.subject.module_subject import OwnModule, subject_of_module
from convscope.inside.tracing.layers import Layer, layers_of
from convscope.inside.tracing.untouched import untouched
from convscope.models.cnn import build
from convscope.run import Run
from convscope.settings import suggest
from convscope.training.checkpoint import load_trained
from convscope.training.seeding import WEIGHTS, global_seed, stream
from convscope.training.trust import trusted
from convscope.types import Shape

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Net:
    """A net and how stimuli come to it.

    Attributes:
        name: of the run or module.
        net: from its input to logits; in evaluation mode.
        front: from clips of full scale 1 to the net's input.
        kind: what it takes.
        rate_hz: of sounds; None of images.
        clip_shape: of what it was trained on: (1, n_times), (n_channels, height, width).
        layers: names that are looked at where nobody chose.
        fresh: the same architecture with weights drawn by a seed; None where it cannot be made.
        key: SHA-256 of its weights.
    """

    name: str
    net: nn.Module
    front: nn.Module
    kind: StimulusKind
    rate_hz: int | None
    clip_shape: Shape
    layers: tuple[str, ...]
    fresh: Callable[[int], nn.Module] | None
    key: str

    def other(self, net: nn.Module) -> "Net":
        """The same with other weights."""
        return replace(self, net=net.eval(), key=weights_key(net))

    @torch.no_grad()
    def found_layers(self) -> dict[str, Layer]:
        """The layers that `look` finds, by name."""
        return layers_of(self.net, self.input_of(torch.zeros(1, *self.clip_shape)))

    def input_of(self, clips: Tensor) -> Tensor:
        """What enters the net for clips, where its weights lie and of their type."""
        place = next(self.net.parameters())
        inputs: Tensor = self.front(clips.to(place.device)).to(place.dtype)
        return inputs


def net_of_run(run: Run, trust_code: bool = False) -> Net:
    """The net of a finished run; none of its data are needed.

    Raises:
        UserError: where the run is not done, takes no sounds or images, or its code is not trusted.
    """
    trained = load_trained(run, trust_code=trust_code)
    config = trained.cell.data
    if isinstance(config, MnistConfig):
        raise UserError(f"{run.name}: a net of MNIST's arrays takes no files of stimuli")
    model = trusted(run, trained.cell.model, trust_code)
    is_sound = isinstance(config, SoundConfig)

    def fresh(seed: int) -> nn.Module:
        with global_seed(stream(seed, WEIGHTS), CPU):  # as the run's own training began
            return build(model, config.shape, len(trained.classes))

    return Net(
        name=run.name,
        net=trained.net,
        front=trained.front,
        kind="sound" if is_sound else "image",
        rate_hz=config.rate_hz if isinstance(config, SoundConfig) else None,
        clip_shape=config.clip_shape,
        layers=default_layers(trained.net, config.shape),
        fresh=fresh,
        key=weights_key(trained.net),
    )


def net_of_module(own: OwnModule) -> Net:
    """A net of the user's own: a function in a Python file, and its weights.

    Raises:
        UserError: for whatever is wrong with it, or where its input is neither a waveform nor an
            image.
    """
    subject = subject_of_module(replace(own, clips=None), 0)
    is_sound = own.rate_hz is not None
    if len(own.clip_shape) != (2 if is_sound else 3):
        raise UserError(
            f"{own.function}: expected a net of waveforms, such as --input 1x16000 with --rate, or "
            f"of images, such as 3x224x224, got {'x'.join(map(str, own.shape))}"
        )

    def fresh(seed: int) -> nn.Module:
        with global_seed(seed, CPU):
            return subject_of_module(replace(own, clips=None, weights=None), 0).net

    return Net(
        name=subject.name,
        net=subject.net,
        front=subject.front,
        kind="sound" if is_sound else "image",
        rate_hz=own.rate_hz,
        clip_shape=own.clip_shape,
        layers=default_layers(subject.net, own.clip_shape),
        fresh=fresh,
        key=weights_key(subject.net),
    )


def default_layers(net: nn.Module, shape: Shape) -> tuple[str, ...]:
    """What a net hands on from layer to layer, by the names of its table, else as `look` has them.

    Of a net of ours: log_energy, act1, act2, …, logits.
    """
    named = tuple(name for name, _ in net.named_children())
    if isinstance(net, nn.Sequential) and "logits" in named:
        return tuple(
            name for name in named if name.startswith("act") or name in ("log_energy", "logits")
        )
    example = next(net.parameters()).new_zeros(1, *shape)
    return tuple(name for name, each in layers_of(net, example).items() if each.kind != "conv")


def check_layers(net: Net, names: tuple[str, ...]) -> None:
    """Refuse a layer that is not there.

    Raises:
        UserError: naming some that are.
    """
    modules = [name for name, _ in net.net.named_modules() if name]
    unknown = [name for name in names if name not in (*modules, *net.layers)]
    looked_at = net.found_layers() if unknown else {}
    for name in unknown:
        if name not in looked_at:
            raise UserError(
                f"features.layers: {name} is no layer of {net.name}"
                f"{suggest(name, [*net.layers, *looked_at, *modules])}"
            )


def weights_key(net: nn.Module) -> str:
    """SHA-256 of all weights and buffers, by their names."""
    digest = hashlib.sha256()
    for name, values in sorted(net.state_dict().items()):
        digest.update(f"{name} {tuple(values.shape)} {values.dtype}".encode())
        digest.update(values.detach().cpu().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


@torch.no_grad()
def calibrated(net: Net, batches: Callable[[], Iterator[Tensor]]) -> nn.Module | None:
    """A copy of a net whose batch norms have the statistics of the stimuli; None without any.

    An untrained net whose norms pass everything through is no fair control of a trained one.

    Args:
        net: whose copy.
        batches: gives the stimuli as the net's input, batch by batch.
    """
    made = copy.deepcopy(net.net).eval()
    norms = [each for each in made.modules() if isinstance(each, nn.modules.batchnorm._BatchNorm)]
    if not any(norm.track_running_stats for norm in norms):
        return None
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
        norm.train()
    for batch in batches():
        made(batch)
    return made.eval()


def permuted(net: nn.Module, seed: int) -> nn.Module:
    """A copy whose every array of weights is shuffled: the same numbers, in other places."""
    made = copy.deepcopy(net)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad(), untouched(net):
        for weights in made.parameters():
            flat = weights.detach().flatten()
            order = torch.randperm(len(flat), generator=generator).to(flat.device)
            weights.copy_(flat[order].view_as(weights))
    return made
