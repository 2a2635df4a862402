"""On what a training ran: versions, machine, commit."""

import os
import platform
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("convscope", "torch", "numpy", "soundfile", "soxr", "scikit-learn", "safetensors")


def describe_environment() -> dict[str, Any]:
    """Versions of what decides a result to the bit, the processor, and the commit if any."""
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "packages": {name: _version(name) for name in PACKAGES},
        "commit": _commit(),
    }


@cache
def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


@cache  # what a process runs was there when it began; asking takes longer than a small epoch
def _commit() -> str | None:
    """The commit of the source tree that this package runs from; None for an installed one."""
    folder = Path(__file__).parent
    if not any((parent / ".git").exists() for parent in folder.parents[1:3]):
        return None
    command = ["git", "-C", str(folder), "rev-parse", "HEAD"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()
