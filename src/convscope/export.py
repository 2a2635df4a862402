"""A trained net as one file for other programs."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from convscope.data.disk import writing_to
from convscope.errors import UserError
from convscope.run import Run, write_atomically
from convscope.training.checkpoint import Trained, load_trained

OPSET = 20


class Exported(nn.Module):
    """Front end and net in one: (n_clips, *shape) at full scale 1 in, logits out."""

    def __init__(self, trained: Trained) -> None:
        super().__init__()
        self.front = trained.front
        self.net = trained.net

    def forward(self, clips: Tensor) -> Tensor:
        logits: Tensor = self.net(self.front(clips))
        return logits


def export_onnx(run: Run, path: Path, trust_code: bool = False) -> Path:
    """Write the run's net as ONNX: input `clips`, float32, full scale 1; output `logits`.

    The number of clips is free. A spectrogram front end is part of the file.

    Raises:
        UserError: where the packages that it needs are not installed, `path` cannot be written,
            or the run's network is code that nobody has allowed to run (`trust_code`).
    """
    try:
        import onnx  # noqa: F401  (torch needs both, and says so only in the middle)
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"export needs the package {error.name}: pip install 'convscope[export]'"
        ) from None
    if path.is_dir():
        raise UserError(f"--out: {path} is a folder: give a file's name, {path / 'model.onnx'}")
    trained = load_trained(run, trust_code=trust_code)
    clips = torch.zeros(2, *trained.cell.data.clip_shape)
    with _quiet_exporter():
        program = torch.onnx.export(
            Exported(trained).eval(),
            (clips,),
            dynamo=True,
            opset_version=OPSET,
            input_names=["clips"],
            output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("n_clips", min=1)},),
            verbose=False,
        )
    assert program is not None  # only the older exporter gives none
    with writing_to(path.parent, "give another --out"):
        write_atomically(path, lambda file: file.write(program.model_proto.SerializeToString()))
    return path


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Torch's exporter warns of its own internals, and of torchvision, which nobody needs here."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
