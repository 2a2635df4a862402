"""The few clips that pictures are made of, what they are called and what the net takes them for."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from convscope.inside.results.parts import NotApplicable
from convscope.inside.results.writer import Axis, axis
from convscope.inside.subject.subject import Examples, Subject
from convscope.inside.tracing.record import answers
from convscope.types import Waveform


@dataclass(frozen=True)
class Shown:
    """Clips, each of another class as far as there are.

    Attributes:
        examples: n_clips of them.
        inputs: (n_clips, *shape) as the net takes them.
        predicted: (n_clips,) the class of the largest logit.
        names: n_clips, for files.
        titles: n_clips, for pictures: the name, and what the net takes it for.
    """

    examples: Examples
    inputs: Tensor
    predicted: NDArray[np.int64]
    names: tuple[str, ...]
    titles: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)


def shown(subject: Subject, n: int) -> Shown:
    """At most n of the subject's clips.

    Raises:
        NotApplicable: where there are none.
    """
    if subject.examples is None or not len(subject.examples):
        raise NotApplicable("it is shown on clips, and there are none: give --clips DIR")
    examples = of_different_classes(subject.examples, n)
    inputs = subject.inputs(examples.clips)
    logits = answers(subject.net, inputs, {"logits": subject.layers["logits"]})["logits"]
    predicted = logits.argmax(axis=1)
    names = tuple(_file_name(str(each)) for each in examples.ids)
    taken_for = [subject.class_name(int(k)) for k in predicted]
    titles = tuple(f"{n}, taken for {k}" for n, k in zip(names, taken_for, strict=True))
    return Shown(examples, inputs, predicted, names, titles)


def of_different_classes(examples: Examples, n: int) -> Examples:
    """At most n clips, the first of each of n classes that are spread evenly over all; where there
    are fewer classes, more of each."""
    order = np.argsort(examples.labels, kind="stable")
    labels = examples.labels[order]
    rank = np.arange(len(order)) - np.searchsorted(labels, labels)  # 0: the first of its class
    if (rank == 0).sum() >= n:
        order = order[rank == 0]
        order = order[np.linspace(0, len(order) - 1, n).round().astype(int)]
    else:
        order = order[np.argsort(rank, kind="stable")][:n]
    return examples.take(order)


def evenly(order: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """At most so many of some indices, evenly spread over them."""
    if len(order) <= most:
        return order
    return np.asarray(order[np.linspace(0, len(order) - 1, most).round().astype(int)])


def waveform_of(subject: Subject, examples: Examples, i: int) -> Waveform:
    """(n_times,) a sound before it is made a net's input."""
    waves: Waveform = subject.scaled(examples.clips[i : i + 1]).reshape(-1).cpu().numpy()
    return waves


def pictured(
    subject: Subject, values: NDArray[np.float32], is_difference: bool = False
) -> NDArray[np.float32]:
    """Inputs of the net as they are to be seen: frequencies upwards, a user's images by `show`.

    Args:
        subject: whose inputs they are.
        values: (…, n_channels, n_rows, n_columns); those of waveforms pass as they are.
        is_difference: whether they are weights, or shares of an input, of which 0 stays 0.
    """
    if subject.domain == "spectrogram":
        return values[..., ::-1, :]
    if subject.show is None:
        return values
    flat = values.reshape(-1, *values.shape[-3:])
    seen = np.stack([subject.show(each) for each in flat])
    if is_difference:
        seen = seen - subject.show(np.zeros_like(flat[0]))
    return seen.reshape(*values.shape[:-3], *seen.shape[1:])


def directions(subject: Subject) -> str:
    """What is up and across in a picture of a whole input."""
    if subject.spectrogram is None or subject.rate_hz is None:
        return "frequency upwards" if subject.domain == "spectrogram" else "as the image lies"
    seconds = subject.clip_shape[-1] / subject.rate_hz
    return f"up: 0 to {subject.rate_hz / 2:g} Hz; across: 0 to {seconds:.4g} s"


def input_axes(subject: Subject) -> tuple[Axis, ...]:
    """The axes of a net's input, channels first: times in s, frequencies in Hz, or pixels."""
    channels = axis("channel", np.arange(subject.shape[0]))
    return (channels, *map(_input_axis, _axis_values(subject)))


def _axis_values(subject: Subject) -> list[tuple[str, NDArray[np.float64], str]]:
    sizes = [np.arange(n, dtype=np.float64) for n in subject.shape[1:]]
    rate_hz = subject.rate_hz or 1
    if subject.domain == "waveform":
        return [("time", sizes[-1] / rate_hz, "s")]
    if subject.domain == "spectrogram" and subject.spectrogram is not None:
        frames = (sizes[1] * subject.spectrogram.stride + subject.spectrogram.window / 2) / rate_hz
        bins = sizes[0] * rate_hz / subject.spectrogram.fft_size
        return [("frequency", bins, "Hz"), ("time", frames, "s")]
    return [("row", sizes[0], ""), ("column", sizes[1], "")]


def _input_axis(about: tuple[str, NDArray[np.float64], str]) -> Axis:
    return axis(*about)


def _file_name(clip_id: str) -> str:
    stem = PurePosixPath(clip_id).with_suffix("").as_posix()
    return re.sub(r"[^\w-]+", "_", stem).strip("_")
