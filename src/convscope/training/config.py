"""What a recipe says of a training."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from convscope.run import BEFORE
from convscope.settings import Settings
from convscope.training.augment import AugmentConfig


class TrainConfig(Settings):
    """One training. The defaults are the reports' training, as far as they state one.

    The reports state Adam and the epoch of least validation loss; learning rate, batch size,
    epochs and patience are ours.
    """

    not_in_name: ClassVar[frozenset[str]] = frozenset(
        {"device", "threads", "micro_batch", "divide_batch_norm"}
    )

    before: ClassVar[Mapping[str, Any]] = BEFORE["train"]

    seed: int = Field(0, ge=0, description="decides weights, order, dropout and augmentation")
    epochs: int = Field(60, ge=1, description="at most so many")
    patience: int = Field(8, ge=0, description="epochs without gain before it stops; 0: never stop")
    batch_size: int = Field(256, ge=1, description="clips a step")
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: float = Field(1e-3, gt=0)
    weight_decay: float = Field(0.0, ge=0)
    momentum: float = Field(0.9, ge=0, lt=1, description="of sgd")
    adam_epsilon: float = Field(1e-8, gt=0, description="of adam and adamw; Keras: 1e-7")
    schedule: Literal["constant", "cosine"] = "constant"
    warmup_epochs: int = Field(0, ge=0, description="epochs in which the learning rate rises")
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    average: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="share of the weights' moving average that a step keeps, such as 0.999; the "
        "average is validated and kept; 0: the weights themselves",
    )
    augment: AugmentConfig = AugmentConfig()
    precision: Literal["fp32", "bf16"] = "fp32"
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    threads: int | None = Field(
        None, ge=1, le=1024, description="CPU threads; null: torch's choice"
    )
    micro_batch: int | None = Field(
        None, ge=1, description="at most so many clips at once; null: as many as memory holds"
    )
    divide_batch_norm: bool = Field(
        False,
        strict=True,
        description="divide a step's clips with batch norm as well, which is another training",
    )


TRAIN_PRESETS: dict[str, dict[str, Any]] = {
    "reports": {},
    "modern": {
        "epochs": 60,
        "patience": 0,
        "batch_size": 128,
        "optimizer": "adamw",
        "learning_rate": 3e-3,
        "weight_decay": 0.01,
        "schedule": "cosine",
        "warmup_epochs": 3,
        "label_smoothing": 0.05,
    },
}
"""`train.preset`: values that stand where a recipe gives none of its own."""

_SOUND = {"shift_seconds": 0.1, "gain_db": 6.0, "noise": 0.003}

MODERN_AUGMENT: dict[str, dict[str, Any]] = {
    "words": _SOUND,
    "sounds": _SOUND,
    "manifest": _SOUND,
    "images": {"flip": True, "crop_pixels": 16, "jitter": 0.2},
    "mnist": {"crop_pixels": 2},
}
"""What the preset `modern` adds to each kind of data; a mirrored digit is no digit."""
