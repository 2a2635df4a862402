"""What a recipe says of its data: which clips, cut and split how. It opens no file."""

from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, model_validator

from convscope.data.exclude import excluded_ids
from convscope.data.hosts import Folder, check_folder, folder_here
from convscope.data.labelling import Labelling
from convscope.names import normalised
from convscope.settings import Settings
from convscope.types import Shape

Balance: TypeAlias = Literal["none", "undersample", "oversample", "weights"]
"""undersample: as many training clips of each class as of the rarest, as the reports did;
oversample: as of the commonest, by repetition; weights: a loss weight n / (n_classes · n_class)."""


def _names(value: Any) -> Any:
    """Refuse what is no list of names, and say how to keep a word that YAML reads otherwise."""
    if value == "all":
        return value
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(f"expected a list of names such as [one, two], or all, got {value!r}")
    for name in value:
        if not isinstance(name, str):
            raise ValueError(
                f"expected names, got {name!r}: quote words that YAML reads as something else, "
                'such as "1" or "true"'
            )
    return tuple(map(normalised, value))


def _distinct(value: "tuple[str, ...] | Literal['all']") -> "tuple[str, ...] | Literal['all']":
    if isinstance(value, tuple):
        twice = sorted({name for name in value if value.count(name) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} stands there twice: name each class once")
        if len(value) < 2:
            raise ValueError(f"expected at least two names or all, got only {value[0]!r}")
    return value


Names: TypeAlias = Annotated[
    tuple[str, ...] | Literal["all"], BeforeValidator(_names), AfterValidator(_distinct)
]
"""Class names in the order of the logits, or `all`: those found in the folder, sorted."""


LEAST_RATE_HZ, MOST_RATE_HZ = 100, 768_000
"""Of clips, and of the files that they are read from."""

FULL_WHITE = 65_535


class SpectrogramConfig(Settings):
    """A spectrogram as the input of a 2-D net. The defaults give exactly 257×99 from 1 s at 16 kHz.

    Frames of `window` samples (Hann) every `stride`, without padding of the signal, each
    zero-padded to `fft_size`.
    """

    window: int = Field(256, ge=2, description="samples in a frame")
    stride: int = Field(160, ge=1, description="samples from frame to frame")
    fft_size: int = Field(512, ge=2, description="samples of the FFT; gives fft_size / 2 + 1 bins")
    scale: Literal["linear", "power", "log"] = "log"
    log_offset: float = Field(1e-6, gt=0, description="added to the power before the logarithm")

    @model_validator(mode="after")
    def _window_fits_fft(self) -> Self:
        if self.window > self.fft_size:
            raise ValueError(
                f"window: expected at most fft_size, {self.fft_size} samples, got {self.window}: "
                "make it less or fft_size more"
            )
        return self

    def shape(self, n_times: int) -> tuple[int, int]:
        """(n_bins, n_frames) of a signal of `n_times` samples."""
        return self.fft_size // 2 + 1, (n_times - self.window) // self.stride + 1


def _preset(value: Any) -> Any:
    """`data.spectrogram=reports` is the spectrogram of the lab reports: the defaults."""
    if value == "reports":
        return SpectrogramConfig()
    if isinstance(value, str):
        raise ValueError(f"expected reports, null or keys of its own, got {value!r}")
    return value


class DataConfig(Settings):
    """What all kinds of data have in common."""

    not_in_name: ClassVar[frozenset[str]] = frozenset({"folder", "max_bad_share"})
    names_key: ClassVar[str] = "classes"
    """The field, of every kind, that names the classes."""

    folder: Annotated[Folder, PlainValidator(check_folder)] = Field(
        None, description="where the files lie; on each host, or one for all"
    )
    balance: Balance = "none"
    max_bad_share: float = Field(
        0.05, ge=0, le=1, description="share of unreadable files above which nothing is trained"
    )
    exclude: Annotated[tuple[str, ...], BeforeValidator(excluded_ids)] = Field(
        (), description="ids of clips to leave out, or a file with one a line"
    )

    def identity(self) -> dict[str, Any]:
        """As of all settings; a list that leaves nothing out is as good as none."""
        values = super().identity()
        if not self.exclude:
            del values["exclude"]
        return values

    def here(self) -> Self:
        """The same with the one folder of this host.

        Raises:
            UserError: where only folders of other hosts are named.
        """
        return self.model_copy(update={"folder": folder_here(self.folder)})

    @property
    def names(self) -> tuple[str, ...] | None:
        """The classes in the order of the logits; None while only the folder knows."""
        names: tuple[str, ...] | Literal["all"] = getattr(self, self.names_key)
        return None if names == "all" else names

    @property
    def shape(self) -> Shape:
        """The shape of one clip as a net gets it, channels first."""
        raise NotImplementedError

    @property
    def clip_shape(self) -> Shape:
        """The shape of one clip as it is stored: of sounds the waveform's, whatever a net gets."""
        return self.shape


class SoundConfig(DataConfig):
    """Sounds of one length and one rate, mono."""

    rate_hz: int = Field(
        16_000, ge=LEAST_RATE_HZ, le=MOST_RATE_HZ, description="others are resampled"
    )
    seconds: float = Field(1.0, gt=0, le=600, description="shorter is padded, longer is cropped")
    only_full_second: bool = Field(
        False, description="score only test clips that need no padding or cropping, as the reports"
    )
    spectrogram: Annotated[SpectrogramConfig | None, BeforeValidator(_preset)] = None

    @model_validator(mode="after")
    def _at_least_one_sample(self) -> Self:
        if self.n_times < 1:
            raise ValueError(
                f"data.seconds: expected at least {1 / self.rate_hz:g}, one sample at "
                f"data.rate_hz={self.rate_hz}, got {self.seconds:g}: make it more"
            )
        return self

    @model_validator(mode="after")
    def _window_fits_clip(self) -> Self:
        if self.spectrogram is not None and self.n_times < self.spectrogram.window:
            raise ValueError(
                f"data.spectrogram.window: expected at most the {self.n_times} samples that "
                f"data.seconds={self.seconds:g} has at {self.rate_hz} Hz, got "
                f"{self.spectrogram.window}: make it less or data.seconds more"
            )
        return self

    @property
    def n_times(self) -> int:
        """Samples in a clip."""
        return round(self.rate_hz * self.seconds)

    @property
    def clip_shape(self) -> Shape:
        return (1, self.n_times)

    @property
    def shape(self) -> Shape:
        if self.spectrogram is None:
            return (1, self.n_times)
        return (1, *self.spectrogram.shape(self.n_times))


class WordsConfig(SoundConfig):
    """The layout of Speech Commands, word/speaker_nohash_n.wav, with its official split."""

    names_key: ClassVar[str] = "words"

    kind: Literal["words"] = "words"
    words: Names = "all"


class SoundsConfig(SoundConfig, Labelling):
    """Any folder of sounds: class/file, split/class/file, or as `pattern` says."""

    kind: Literal["sounds"] = "sounds"
    classes: Names = "all"


class ManifestConfig(SoundConfig, Labelling):
    """A CSV file with the columns path, label and others; paths count from the CSV's folder."""

    has_own_fields: ClassVar[bool] = True

    kind: Literal["manifest"] = "manifest"
    classes: Names = "all"

    @model_validator(mode="after")
    def _columns_say_it(self) -> Self:
        if self.pattern is not None:
            raise ValueError(
                "data.pattern has no effect on a manifest, whose columns say it: leave it out, or "
                "set data.kind to sounds and data.folder to the folder"
            )
        return self


class ImagesConfig(DataConfig, Labelling):
    """Any folder of images, as of sounds; resized and cropped to one size."""

    kind: Literal["images"] = "images"
    classes: Names = "all"
    image_size: Annotated[int, Field(ge=1, le=4096)] = 172
    """Height and width in pixels: the shorter side is resized to it, the longer cropped."""
    white_level: Annotated[int, Field(ge=1, le=2**31 - 1)] = FULL_WHITE
    """Grey value that becomes white, of pictures with more than 8 bits: 4095 where 12 are used."""

    def identity(self) -> dict[str, Any]:
        """As of all settings; runs made before there was a white level keep their names."""
        values = super().identity()
        if self.white_level == FULL_WHITE:
            del values["white_level"]
        return values

    @property
    def shape(self) -> Shape:
        return (3, self.image_size, self.image_size)


class MnistConfig(DataConfig):
    """MNIST's four idx files."""

    kind: Literal["mnist"] = "mnist"
    classes: Names = tuple("0123456789")
    split: Literal["reports", "whole"] = "reports"
    """reports: 40,000 / 20,000 / 10,000; whole: 90 % of the 60,000 to train, 10 % to validate."""

    @property
    def names(self) -> tuple[str, ...]:
        return super().names or tuple("0123456789")

    @property
    def shape(self) -> Shape:
        return (1, 28, 28)


DATA_KINDS: dict[str, type[DataConfig]] = {
    "words": WordsConfig,
    "sounds": SoundsConfig,
    "manifest": ManifestConfig,
    "images": ImagesConfig,
    "mnist": MnistConfig,
}
