"""What works on this machine, what is missing, and how to get it."""

import importlib.util
import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from convscope.data.caching.folder import cache_root


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: the thing.
        works: whether it is there.
        found: what was found.
        remedy: how to get it; empty where it works.
    """

    what: str
    works: bool
    found: str
    remedy: str = ""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def examine() -> list[Finding]:
    """Look at everything that a command may need."""
    checks: list[Callable[[], Finding]] = [_python, _torch, _gpu, _steps, _sound, _disk]
    return [check() for check in checks] + [_extra(*extra) for extra in EXTRAS]


EXTRAS = (
    ("words", "synthesised words (data make-words, demo)", ("espeakng_loader",)),
    ("export", "export to ONNX", ("onnx", "onnxscript", "onnxruntime")),
    ("clean", "mislabelled clips (look --what clean)", ("cleanlab",)),
    ("web", "the explorer (serve)", ("fastapi", "uvicorn")),
    ("brain", "nets held against fMRI (brain)", ("himalaya", "nilearn", "nibabel")),
    ("cluster", "sweeps on many machines (sweep --ray)", ("ray",)),
    ("track", "export to MLflow (board --mlflow)", ("mlflow",)),
    ("sheets", "the lab's Google Sheet (servers collect)", ("gspread",)),
    ("metrics", "Prometheus (servers metrics)", ("prometheus_client",)),
    ("report", "slides (report --slides)", ("pptx",)),
)
"""Each extra: its name, what it is for, the modules that it brings."""


def _python() -> Finding:
    return Finding("Python", True, platform.python_version())


def _torch() -> Finding:
    import torch

    found = f"{torch.__version__}, {torch.get_num_threads()} threads on {os.cpu_count()} cores"
    return Finding("torch", True, found)


def _gpu() -> Finding:
    import torch

    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        name = torch.cuda.get_device_name()
        return Finding("GPU", True, f"{name}, {free / 2**30:.1f} of {total / 2**30:.1f} GiB free")
    if torch.backends.mps.is_available():
        return Finding("GPU", True, "Apple (mps): untried, ask for it with train.device=mps")
    remedy = "trains on the CPU; for an NVIDIA GPU install its driver and a CUDA build of torch"
    return Finding("GPU", False, "none that torch can use", remedy)


def _steps() -> Finding:
    """How steps of training are executed here, as far as the machine decides it."""
    import torch

    from convscope.training.fast.pooling import kernels

    module, why_not = kernels()
    if not torch.cuda.is_available():
        return Finding("training steps", True, f"channels last, plain torch ({why_not})")
    found = "channels last, one CUDA graph a step, "
    if module is not None:
        return Finding("training steps", True, f"{found}Triton kernels")
    remedy = "trains slower; pip install triton, and a C compiler such as gcc, make it faster"
    return Finding("training steps", False, f"{found}no Triton kernels ({why_not})", remedy)


def _sound() -> Finding:
    import soundfile

    formats = soundfile.available_formats()
    missing = [name for name in ("WAV", "FLAC", "OGG") if name not in formats]
    found = f"libsndfile {soundfile.__libsndfile_version__}"
    remedy = "pip install --upgrade soundfile" if missing else ""
    return Finding("sound files", not missing, found, remedy)


def _disk() -> Finding:
    folder = cache_root()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free_gib = shutil.disk_usage(there).free / 2**30
    writable = os.access(there, os.W_OK)
    remedy = "" if writable else "name a folder of yours in CONVSCOPE_CACHE"
    return Finding("cache", writable, f"{folder}, {free_gib:.1f} GiB free", remedy)


def _extra(name: str, purpose: str, modules: tuple[str, ...]) -> Finding:
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    found = f"without {', '.join(missing)}" if missing else "installed"
    remedy = f"pip install 'convscope[{name}]'" if missing else ""
    return Finding(purpose, not missing, found, remedy)
