"""The state that a training goes on from is data, whoever wrote it."""

import io
import pickle
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch

from convscope.data.dataset import Dataset
from convscope.models.spec import make_spec
from convscope.run import STATE, Run
from convscope.training.checkpoint import DamagedState, load_progress
from convscope.training.config import TrainConfig
from convscope.training.engine import Engine


class Evil:
    """Unpickled, it touches a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return Path.touch, (self.marker,)


def _by_torch(value: object) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


@pytest.mark.parametrize("write", [_by_torch, pickle.dumps])
def test_no_state_is_unpickled(
    tones: Callable[..., Dataset], tmp_path: Path, write: Callable[[object], bytes]
) -> None:
    marker = tmp_path / "marker"
    content = write({"net": Evil(marker)})
    with suppress(RuntimeError):  # once it has unpickled it, torch may miss its own mark
        torch.load(io.BytesIO(content), weights_only=False)
    assert marker.exists(), "it does what it is here for"
    marker.unlink()
    run = Run(tmp_path / "run")
    run.write(STATE, content)
    spec = make_spec({"family": "custom", "conv_layers": 3, "base_channels": 2})
    engine = Engine(spec, tones(), TrainConfig(device="cpu"))
    with pytest.raises(DamagedState, match=r"state\.pt cannot be read \(.*\): delete it"):
        load_progress(run, engine)
    assert not marker.exists()
