"""A net of the user's own as what is looked at: a function in a Python file, and its weights.

The file runs with all rights of the person who names it.
"""

import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from convscope.data.spectrogram import FrontEnd
from convscope.errors import UserError, in_one_line
from convscope.inside.clips import Preprocess, checked_show, examples_from
from convscope.inside.kept import untouched
from convscope.inside.layers import forward
from convscope.inside.subject import Domain, Show, Subject, silence
from convscope.inside.target import number_of
from convscope.models.weights import load_weights
from convscope.types import Shape


@dataclass(frozen=True)
class OwnModule:
    """What a user says of a net of their own.

    Attributes:
        function: FILE.py:make_net; it takes nothing, or the input's shape, or that and the number
            of classes.
        weights: a safetensors file of its state; None: as the function makes it.
        shape: of its input, channels first, such as (3, 227, 227) or (1, 16000).
        rate_hz: samples a second, where its input is sound.
        preprocess: FILE.py:fn, from a clip's path to the input, an array of that shape; None: as
            our own data are read, full scale 1. A function `show` beside it in the file makes an
            image of an input.
        classes: a file with the name of each logit on a line of its own.
        clips: a folder of clips; None: none are shown.
    """

    function: str
    shape: Shape
    weights: Path | None = None
    rate_hz: int | None = None
    preprocess: str | None = None
    classes: Path | None = None
    clips: Path | None = None


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
    _check_names(classes, _try(net, own.shape))
    preprocess = None if own.preprocess is None else load_function(own.preprocess)
    return Subject(
        name=own.function.replace("/", "_"),
        net=net,
        scale=_as_it_is if preprocess else FrontEnd().scale,
        front=_Precise(number_of(net).dtype),
        domain=_domain(own),
        shape=own.shape,
        clip_shape=own.shape,
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
    file, _, name = reference.rpartition(":")
    function = getattr(_module(reference), name, None)
    if not callable(function):
        raise UserError(f"{reference}: {Path(file).name} has no function {name}: define it")
    made: Callable[..., Any] = function
    return made


def _module(reference: str) -> ModuleType:
    """The file of a FILE.py:NAME, run."""
    file, _, name = reference.rpartition(":")
    if not file.endswith(".py") or not name.isidentifier():
        raise UserError(f"{reference}: expected FILE.py:FUNCTION")
    module = ModuleType(f"convscope_own_{Path(file).stem}")
    module.__file__ = file
    sys.modules[module.__name__] = module  # where dataclasses look a class's module up
    try:
        source = Path(file).read_bytes()
        with redirect_stdout(sys.stderr), _beside(file):
            exec(compile(source, file, "exec"), module.__dict__)
    except OSError as error:
        raise UserError(
            f"{file} cannot be read ({error.strerror}): expected a Python file"
        ) from None
    except (Exception, SystemExit) as error:
        raise _blamed(reference, "the file failed as it was imported", error) from None
    return module


@contextmanager
def _beside(file: str) -> Iterator[None]:
    """Within, the modules beside a file can be imported, as where Python runs it."""
    folder = str(Path(file).resolve().parent)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


class _Precise(nn.Module):
    """From clips to the precision of a net."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self._dtype = dtype

    def forward(self, clips: Tensor) -> Tensor:
        return clips.to(self._dtype)


def _net(own: OwnModule, n_classes: int) -> nn.Module:
    make_net = load_function(own.function)
    try:
        n_arguments = len(inspect.signature(make_net).parameters)
        with redirect_stdout(sys.stderr):
            net = make_net(*(own.shape, n_classes)[:n_arguments])
    except Exception as error:
        raise _blamed(own.function, "it failed", error) from None
    if not isinstance(net, nn.Module):
        raise UserError(f"{own.function}: expected a torch.nn.Module, got {type(net).__name__}")
    if own.weights is not None:
        load_weights(net, own.weights, f"--weights {own.weights}")
    return net.eval()


def _try(net: nn.Module, shape: Shape) -> Tensor:
    """The answer to silence."""
    try:
        clip = silence(net, shape)
    except (RuntimeError, TypeError, OverflowError) as error:
        size = "x".join(map(str, shape))
        raise UserError(f"--input {size} does not fit into memory: give a smaller one") from error
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
    return "waveform" if len(own.shape) == 2 else "spectrogram"


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
    return examples_from(own.clips, own.shape, own.rate_hz, classes, most, preprocess)


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


def _blamed(reference: str, what: str, error: BaseException) -> UserError:
    return UserError(f"{reference}: {what} with {in_one_line(error)}")
