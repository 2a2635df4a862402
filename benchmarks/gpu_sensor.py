"""The sensor's record of this machine beside a job on its GPU, for a test to be made of.

python benchmarks/gpu_sensor.py [--cpu]

Also what nvidia-smi prints, which the sensor reads where NVML's Python is missing.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import torch
import typer

SENSOR = Path(__file__).parents[1] / "src/convscope/servers/sensing/sensor.py"


def main(cpu: Annotated[bool, typer.Option("--cpu", help="Without a job.")] = False) -> None:
    """Print the record that both ways of reading give."""
    job = None if cpu else torch.ones(2**28, device="cuda")  # 1 GiB
    for _ in range(0 if job is None else 200):
        job.mul_(1.0)  # type: ignore[union-attr]
    told = {"by NVML": _record(), "by nvidia-smi": _record("-S")}
    print(json.dumps(told))


def _record(*options: str) -> object:
    """With `-S`, Python has no site-packages and so no nvidia-ml-py and no psutil."""
    command = [sys.executable, *options, str(SENSOR)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout)


if __name__ == "__main__":
    typer.run(main)
