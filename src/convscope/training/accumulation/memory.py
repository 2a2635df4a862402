"""Memory: whether it suffices, and the most that a training held."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import torch

from convscope.errors import NoRoom
from convscope.training.accumulation.heap import give_back_freed_memory

Result = TypeVar("Result")

OUT_OF_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)
"""What the errors of torch and its libraries say when memory is too small."""

_PROCESS = Path("/proc/self")


def reset_peak(device: torch.device) -> None:
    """Measure from here on; where that is not allowed, from the start of the process."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        return
    give_back_freed_memory()  # what a training before this one held is not of this one
    with suppress(OSError):
        (_PROCESS / "clear_refs").write_text("5")  # proc(5): VmHWM becomes what is held now


def peak_memory(device: torch.device) -> int | None:
    """Bytes: on a GPU those that torch reserved, elsewhere on Linux the process's resident ones.

    A GPU holds some hundred MB more for each process that uses it. None where it is not known.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    if device.type != "cpu":
        return None
    with suppress(OSError):
        for line in (_PROCESS / "status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory is too small, the GPU's or the machine's."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in OUT_OF_MEMORY)


def if_it_fits(compute: Callable[[], Result]) -> Result | None:
    """What `compute` gives; None where memory does not suffice, and all that it held is free."""
    try:
        return compute()
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
    # Only out here is the error gone, and with it the tensors that its traceback kept.
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return None


def halved(n_clips: int, device: torch.device) -> int:
    """How many clips to try after `n_clips` did not fit.

    Raises:
        NoRoom: for a single clip.
    """
    if n_clips == 1:
        raise NoRoom(
            f"the memory of {device} does not hold the net and one clip: wait until there is more "
            "room, or take a smaller net"
        )
    return n_clips // 2
