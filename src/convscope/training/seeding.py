"""Random numbers that depend on the seed and the epoch alone, so that a run can go on anywhere."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

ORDER, DROPOUT, AUGMENTATION, BALANCE, WEIGHTS = range(5)
"""What the numbers are for: each has a stream of its own."""


def stream(seed: int, purpose: int, epoch: int = 0) -> int:
    """The seed of one stream: no two of (seed, purpose, epoch) share their numbers."""
    return int(np.random.SeedSequence([seed, purpose, epoch]).generate_state(1, np.uint64)[0] >> 1)


@contextmanager
def global_seed(seed: int, device: torch.device) -> Iterator[None]:
    """Torch's global generators seeded, and put back as they were at the end."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        yield
