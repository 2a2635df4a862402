"""A net of the user's own as what is looked at: a function in a Python file, and its weights."""

import inspect
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from convscope.data.decoding.spectrogram import FrontEnd
from convscope.errors import UserError
from convscope.inside.subject.answer import with_one_answer
from convscope.inside.subject.clips import Preprocess, checked_show, examples_from
from convscope.inside.subject.subject import Domain, Show, Subject, silence
from convscope.inside.tracing.layers import forward
from convscope.inside.tracing.target import number_of
from convscope.inside.tracing.untouched import untouched
from convscope.models.user_file import blamed, function_of, run_file
from convscope.models.weights import load_weights
from convscope.types import Shape


@dataclass(frozen=True)
class OwnModule:
    """What a user says of a net of their own.

    Attributes:
        function: FILE.py:make_net; it takes nothing, or the input's shape, or that and the number
            of classes.
        weights: a safetensors file of its state; None: as the function makes it.
        shape: of its input, channels first, such as (3, 227, 227) or (1, 16000); (16000,) of sound
            without a channel axis.
        rate_hz: samples a second, where its input is sound.
        preprocess: FILE.py:fn, from a clip's path to the input, an array of that shape; None: as
            our own data are read, full scale 1. A function `show` beside it in the file makes an
            image of an input.
        classes: a file with the name of each logit on a line of its own.
        clips: a folder of clips; None: none are shown.
        output: which of several answers has the classes, by its index or name; None: the first.
    """

    function: str
    shape: Shape
    weights: Path | None = None
    rate_hz: int | None = None
    preprocess: str | None = None
    classes: Path | None = None
    clips: Path | None = None
    output: str | None = None

    @property
    def clip_shape(self) -> Shape:
        """With a channel axis, whether the net takes one or not."""
        return (1, *self.shape) if len(self.shape) == 1 else self.shape


def subject_of_module(own: OwnModule, most: int) -> Subject:
    """A net of the user's own, ready to be looked at.

    Args:
        own: what the user says of it.
        most: clips to show it at most.

    Raises:
        UserError: for whatever is wrong with it, in the user's words.
    """
    classes = _names(own.classes)
    net = _net(own, len(classes))
    has_channel = len(own.shape) > 1
    with redirect_stdout(sys.stderr):
        net = with_one_answer(net, _silent(net, own), own.output, has_channel, len(classes))
    _check_names(classes, _try(net, own.clip_shape))
    preprocess = None if own.preprocess is None else load_function(own.preprocess)
    return Subject(
        name=own.function.replace("/", "_"),
        net=net,
        scale=_as_it_is if preprocess else FrontEnd().scale,
        front=_Precise(number_of(net).dtype),
        domain=_domain(own),
        shape=own.clip_shape,
        clip_shape=own.clip_shape,
        classes=classes,
        examples=_examples(own, classes, preprocess, most),
        rate_hz=own.rate_hz,
        is_own=True,
        show=_show(own),
    )


def load_function(reference: str) -> Callable[..., Any]:
    """The function of a FILE.py:NAME.

    Raises:
        UserError: where there is no such file or function, or the file fails.
    """
    return function_of(_module(reference), reference.rpartition(":")[2], reference, "it")


def _module(reference: str) -> ModuleType:
    """The file of a FILE.py:NAME, run."""
    file, _, name = reference.rpartition(":")
    if not file.endswith(".py") or not name.isidentifier():
        raise UserError(f"{reference}: expected FILE.py:FUNCTION")
    try:
        source = Path(file).read_bytes()
    except OSError as error:
        raise UserError(
            f"{file} cannot be read ({error.strerror}): expected a Python file"
        ) from None
    module = f"convscope_own_{Path(file).stem}"
    return run_file(Path(file), source, module, reference, beside=True)


class _Precise(nn.Module):
    """From clips to the precision of a net."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self._dtype = dtype

    def forward(self, clips: Tensor) -> Tensor:
        return clips.to(self._dtype)


def _net(own: OwnModule, n_classes: int) -> nn.Module:
    make_net = load_function(own.function)
    with blamed(own.function, "it failed"):
        n_arguments = len(inspect.signature(make_net).parameters)
        net = make_net(*(own.shape, n_classes)[:n_arguments])
    if not isinstance(net, nn.Module):
        raise UserError(f"{own.function}: expected a torch.nn.Module, got {type(net).__name__}")
    _check_one_input(net)
    if own.weights is not None:
        load_weights(net, own.weights, f"--weights {own.weights}")
    return net.eval()


def _check_one_input(net: nn.Module) -> None:
    """Refuse a net whose `forward` asks for more than clips."""
    try:
        parameters = inspect.signature(net.forward).parameters.values()
    except (TypeError, ValueError):  # of a scripted module it may not be known
        return
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    asked = [each.name for each in parameters if each.default is each.empty and each.kind in kinds]
    if len(asked) > 1:
        raise UserError(
            f"{type(net).__name__} takes {len(asked)} inputs ({', '.join(asked)}): expected one, "
            "the clips: wrap it in a module that makes the others"
        )


def _silent(net: nn.Module, own: OwnModule) -> Tensor:
    """(1, *clip shape) zeros."""
    try:
        return silence(net, own.clip_shape)
    except (RuntimeError, TypeError, OverflowError) as error:
        size = "x".join(map(str, own.shape))
        raise UserError(f"--input {size} does not fit into memory: give a smaller one") from error


def _try(net: nn.Module, shape: Shape) -> Tensor:
    """The answer to silence."""
    clip = silence(net, shape)
    with untouched(net), torch.no_grad(), redirect_stdout(sys.stderr):
        return forward(net, clip)


def _check_names(classes: Sequence[str], answer: Tensor) -> None:
    if classes and len(classes) != answer.shape[1]:
        raise UserError(
            f"--classes: expected a name for each of the net's {answer.shape[1]} logits, "
            f"got {len(classes)}"
        )


def _domain(own: OwnModule) -> Domain:
    if own.rate_hz is None:
        return "image"
    return "waveform" if len(own.clip_shape) == 2 else "spectrogram"


def _names(path: Path | None) -> tuple[str, ...]:
    if path is None:
        return ()
    try:
        return tuple(line.strip() for line in path.read_text().splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"--classes {path} cannot be read ({error}): expected a name on each line"
        ) from None


def _examples(
    own: OwnModule, classes: Sequence[str], preprocess: Preprocess | None, most: int
) -> Any:
    if own.clips is None:
        return None
    return examples_from(own.clips, own.clip_shape, own.rate_hz, classes, most, preprocess)


def _show(own: OwnModule) -> Show | None:
    """The function `show` beside a user's preprocess, tried once; None where there is none."""
    show = None if own.preprocess is None else getattr(_module(own.preprocess), "show", None)
    if show is None or _domain(own) != "image":
        return None
    checked = checked_show(show)
    checked(np.zeros(own.shape, np.float32))
    return checked


def _as_it_is(clips: Tensor) -> Tensor:
    return clips
