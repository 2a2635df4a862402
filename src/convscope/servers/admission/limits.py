"""What must be free on a machine before a cell may start there."""

import re
from typing import Any

from pydantic import Field, field_validator

from convscope.settings import Settings

UNITS = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
UNITS |= {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}


class Limits(Settings):
    """The thresholds of politeness; null means that a thing is not looked at.

    The defaults are those without any file: on a GPU, other people's processes and the room that
    the cell needs count; without a GPU nothing waits.
    """

    free_gpu_memory_bytes: int | None = Field(2**29, ge=0)
    """Must stay free on the GPU beyond what the cell itself needs, bytes.

    512 MiB: what CUDA takes for a process beside its tensors.
    """

    others_gpu_memory_bytes: int | None = Field(2**28, ge=0)
    """The most that other people's processes may hold on the GPU, bytes.

    256 MiB: monitoring and a desktop's helpers hold less, a training (its CUDA context alone)
    more.
    """

    others_gpu_utilisation: float | None = Field(None, ge=0, le=1)
    """The most that the GPU may be busy with none of our processes on it: a share, 0 to 1."""

    free_memory_bytes: int | None = Field(None, ge=0)
    """Host memory that must stay available; without a GPU, beyond what the cell itself needs."""

    load_per_core: float | None = Field(None, ge=0)
    """The most 1-minute load that is not ours, per core."""

    free_disk_bytes: int | None = Field(None, ge=0)
    """Must be free where the folder of runs lies."""

    count_own_login: bool = False
    """Whether processes of our login that no sweep of ours started are other people's.

    For labs where several people share one login.
    """

    @field_validator(
        "free_gpu_memory_bytes",
        "others_gpu_memory_bytes",
        "free_memory_bytes",
        "free_disk_bytes",
        mode="before",
    )
    @classmethod
    def _read_bytes(cls, value: Any) -> Any:
        return parse_bytes(value) if isinstance(value, str) else value

    def over(self, base: "Limits") -> "Limits":
        """These limits laid over `base`: what was not given here is as there."""
        given = {key: getattr(self, key) for key in self.model_fields_set}
        return base.model_copy(update=given)


def parse_bytes(text: str) -> int:
    """The bytes of a text such as "4 GiB", "500 MB" or "1.5gib".

    Raises:
        ValueError: for any other text.
    """
    match = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*([a-z]+)", text.strip().lower())
    if not match or match[2] not in UNITS:
        raise ValueError(f'expected bytes, such as 4294967296 or "4 GiB", got {text!r:.80}')
    return round(float(match[1]) * UNITS[match[2]])
