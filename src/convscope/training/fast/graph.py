"""A step of training as one CUDA graph: a GPU is given it whole, not kernel by kernel.

A small net's kernels end sooner than Python starts the next ones. A graph is captured once from a
step, and then replayed on the same pieces of memory, into which each batch is copied. Random
numbers go on from where torch's generators stand at each replay, as they do without a graph.

Source: PyTorch's notes on CUDA semantics, section CUDA Graphs.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from convscope.models.spec import ConvNetSpec, ModelSpec

log = logging.getLogger(__name__)

WARM_UP = 3
"""Steps before the capture, in which libraries choose their kernels and Adam makes its moments."""

Step = Callable[[Tensor, Tensor], Tensor]
"""From a batch's stored clips and labels to its loss and how many were right, (2,)."""


def why_no_graph(
    spec: ModelSpec, optimizer: torch.optim.Optimizer, device: torch.device
) -> str | None:
    """Why the steps of a training are not to be captured; None where they may be.

    A user's net may do in Python what a graph would not repeat.
    """
    if device.type != "cuda":
        return "no CUDA"
    if not isinstance(spec, ConvNetSpec):
        return "a user-defined net"
    if not isinstance(optimizer, torch.optim.Adam):
        return "for Adam alone"
    return None


class StepGraph:
    """Steps on batches of one size: a few as they are, then a graph's replays.

    Attributes:
        why_not: why steps are not replayed after all; None where they are, or will be.
    """

    def __init__(
        self,
        warm: Step,
        step: Step,
        optimizer: torch.optim.Optimizer,
        generator: torch.Generator,
    ) -> None:
        """`warm` makes the first steps; `step`, the same undivided, is captured."""
        self.why_not: str | None = None
        self._warm = warm
        self._step = step
        self._optimizer = optimizer
        self._generator = generator
        self._stream = torch.cuda.Stream()
        self._n_warm = 0
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, clips: Tensor, labels: Tensor) -> Tensor:
        """One step; its answer holds until the next."""
        if self._n_warm < WARM_UP:
            self._n_warm += 1
            return self._beside(clips, labels)
        if self._graph is None and self.why_not is None:
            self._try_capture(clips, labels)
        if self._graph is None:
            return self._warm(clips, labels)
        self._clips.copy_(clips)
        self._labels.copy_(labels)
        self._rate.fill_(self._optimizer.param_groups[0]["lr"])
        self._graph.replay()
        return self._answer

    def _beside(self, clips: Tensor, labels: Tensor) -> Tensor:
        """A step on the stream of the capture, which wants what it meets to have run there."""
        current = torch.cuda.current_stream()
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            answer = self._warm(clips, labels)
        current.wait_stream(self._stream)
        return answer

    def _try_capture(self, clips: Tensor, labels: Tensor) -> None:
        generators = [self._generator, torch.cuda.default_generators[clips.device.index]]
        try:
            # A capture that fails leaves its stream the current one, but for this.
            with torch.cuda.stream(torch.cuda.current_stream()):
                self._capture(clips, labels)
        except RuntimeError as error:
            self.why_not = next(iter(str(error).splitlines()), type(error).__name__)
            log.warning("steps run without a CUDA graph: %s", self.why_not)
            self._optimizer.zero_grad(set_to_none=True)
            for generator in generators:  # still marked as captured; a copy is not
                generator.graphsafe_set_state(generator.clone_state())

    def _capture(self, clips: Tensor, labels: Tensor) -> None:
        """Record a step, without making it."""
        self._clips, self._labels = clips.clone(), labels.clone()
        self._rate = torch.zeros((), device=clips.device)
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self._generator)
        # Of this thread alone: another one may be reading clips ahead.
        capture = torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local")
        with capturable(self._optimizer, self._rate), capture:
            self._answer = self._step(self._clips, self._labels)
        self._graph = graph


@contextmanager
def capturable(optimizer: torch.optim.Optimizer, rate: Tensor) -> Iterator[None]:
    """While inside, steps read the learning rate from the device; the optimizer is then as before.

    So what a run keeps of it does not depend on whether its steps were captured.
    """
    before = [group["lr"] for group in optimizer.param_groups]
    try:
        for group in optimizer.param_groups:
            group.update(lr=rate, capturable=True)
        yield
    finally:
        for group, lr in zip(optimizer.param_groups, before, strict=True):
            group.update(lr=lr, capturable=False)
