"""What is looked at: a net, how clips come to it, and how what comes out is named."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.data.config import SpectrogramConfig
from convscope.inside.tracing.layers import Layer, layers_of
from convscope.inside.tracing.target import number_of
from convscope.inside.tracing.unit_names import Unit, read_unit
from convscope.run import Run
from convscope.types import Shape

BATCH = 64

Show: TypeAlias = Callable[[NDArray[np.float32]], NDArray[np.float32]]

Domain: TypeAlias = Literal["waveform", "spectrogram", "image"]
"""What a net's input is."""


@dataclass(frozen=True)
class Examples:
    """Clips to show to a net.

    Attributes:
        clips: (n_clips, …) as they are stored, int16 sound or uint8 image; or float32, as a user's
            own function has made them for the net.
        labels: (n_clips,) indices into the classes; -1 where the class is not known.
        ids: (n_clips,) their names.
    """

    clips: NDArray[np.int16] | NDArray[np.uint8] | NDArray[np.float32]
    labels: NDArray[np.int64]
    ids: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, indices: NDArray[np.int64]) -> "Examples":
        """Some of them."""
        return Examples(self.clips[indices], self.labels[indices], self.ids[indices])


@dataclass(frozen=True)
class Subject:
    """A net that is looked at; nothing in here changes it.

    Attributes:
        name: of the run or module.
        net: from its input to logits.
        scale: from stored clips to numbers of full scale 1; float clips pass as they are.
        front: from there to the net's input: the spectrogram, or nothing.
        domain: what the net's input is.
        shape: of the net's input for one clip, channels first.
        clip_shape: of a clip before `front`: of a sound (1, n_times).
        classes: names of the logits; empty where they are not known.
        examples: clips to show it; None where there are none.
        rate_hz: samples a second of a sound; None of an image.
        spectrogram: how `front` makes one; None where it does not.
        run: whose net it is, where the examples are the run's own clips; None where they are not.
        is_own: whether the net is a user's own module.
        show: of a user's own images: from the net's input (n_channels, height, width), of any
            height and width, to an image (3 or 1, height, width), red first; None: they are that.
    """

    name: str
    net: nn.Module
    scale: Callable[[Tensor], Tensor]
    front: nn.Module
    domain: Domain
    shape: Shape
    clip_shape: Shape
    classes: tuple[str, ...]
    examples: Examples | None
    rate_hz: int | None = None
    spectrogram: SpectrogramConfig | None = None
    run: Run | None = None
    is_own: bool = False
    show: Show | None = None

    @cached_property
    def layers(self) -> dict[str, Layer]:
        """The net's layers by name."""
        return layers_of(self.net, silence(self.net, self.shape))

    @property
    def device(self) -> torch.device:
        return number_of(self.net).device

    def scaled(self, clips: NDArray[np.generic]) -> Tensor:
        """Stored clips as numbers of full scale 1, on the net's device."""
        return self.scale(
            torch.from_numpy(np.require(clips, requirements=["C", "W"])).to(self.device)
        )

    def inputs(self, clips: NDArray[np.generic]) -> Tensor:
        """Stored clips as the net's input: (n_clips, *shape)."""
        with torch.no_grad():
            made: Tensor = self.front(self.scaled(clips))
        return made

    def batches(self, size: int = BATCH) -> Iterator[tuple[slice, Tensor]]:
        """The examples as the net's input, batch by batch, with where each batch stands."""
        assert self.examples is not None
        for start in range(0, len(self.examples), size):
            part = slice(start, min(start + size, len(self.examples)))
            yield part, self.inputs(self.examples.clips[part])

    def class_name(self, index: int) -> str:
        """The name of a logit; its number where names are not known."""
        return self.classes[index] if 0 <= index < len(self.classes) else str(index)

    @property
    def whole(self) -> nn.Module:
        """From a clip of full scale 1 to logits: what is maximised when a sound is to come out.

        It has the name of the net's class, by which errors name it.
        """
        named: type[nn.Sequential] = type(type(self.net).__name__, (nn.Sequential,), {})
        return named(self.front, self.net)


def silence(net: nn.Module, shape: Shape) -> Tensor:
    """(1, *shape) zeros where a net is, and as precise as it: an example of its input."""
    return number_of(net).new_zeros(1, *shape)


@dataclass(frozen=True)
class Choice:
    """What a user wants to see.

    Attributes:
        layer: only this one; None: that of the unit, else all.
        unit: only this one, by its full name, conv3:17 or logits:zero; None: all.
        n: how many of what there are many of (clips, units of a picture).
        seed: of whatever is drawn.
        other: the run to compare with.
        trust_code: whether the code that lies in a run may be run, whoever trained it.
    """

    layer: str | None = None
    unit: str | None = None
    n: int = 8
    seed: int = 0
    other: Path | None = None
    trust_code: bool = False


def chosen_unit(subject: Subject, choice: Choice) -> Unit | None:
    """The unit that a user chose; None where all are to be seen.

    Raises:
        UserError: for a unit that the net does not have.
    """
    if choice.unit is None:
        return None
    return read_unit(choice.unit, subject.layers, subject.classes)


def filter_unit(subject: Subject, choice: Choice) -> Unit | None:
    """The chosen unit; None where none is chosen, or a class, which has neither filter nor map."""
    unit = chosen_unit(subject, choice)
    return None if unit is None or unit.layer == "logits" else unit


def filter_layer(subject: Subject, choice: Choice) -> str | None:
    """The chosen layer, else that of the chosen unit; None: all."""
    unit = filter_unit(subject, choice)
    return unit.layer if choice.layer is None and unit is not None else choice.layer
