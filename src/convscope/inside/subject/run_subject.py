"""A finished run as what is looked at."""

from pathlib import Path

from convscope.data.config import DataConfig, ImagesConfig, SoundConfig
from convscope.data.listing.files import Progress
from convscope.data.load import load_dataset
from convscope.errors import UserError
from convscope.inside.subject.clips import clips_for, evenly
from convscope.inside.subject.subject import Domain, Examples, Subject
from convscope.run import Run
from convscope.training.checkpoint import load_trained


def subject_of_run(
    run: Run,
    clips: Path | None,
    most: int,
    progress: Progress | None = None,
    trust_code: bool = False,
) -> Subject:
    """A run's net, ready to be looked at.

    Args:
        run: a finished one.
        clips: a folder of clips to show it; None: the run's own test clips.
        most: clips at most, of the run's own evenly from all classes.
        progress: called while the run's data are decoded.
        trust_code: whether the code that lies in the run may be run, whoever trained it.

    Raises:
        UserError: where the run is not done, its code is not trusted, or no clips can be found.
    """
    trained = load_trained(run, trust_code=trust_code)
    config = trained.cell.data
    return Subject(
        name=run.name,
        net=trained.net,
        scale=trained.front.scale,
        front=trained.front,
        domain=_domain(config),
        shape=config.shape,
        clip_shape=config.clip_shape,
        classes=trained.classes,
        examples=_examples(config, trained.classes, clips, most, progress),
        rate_hz=config.rate_hz if isinstance(config, SoundConfig) else None,
        spectrogram=config.spectrogram if isinstance(config, SoundConfig) else None,
        run=run if clips is None else None,
    )


def _domain(config: DataConfig) -> Domain:
    if not isinstance(config, SoundConfig):
        return "image"
    return "waveform" if config.spectrogram is None else "spectrogram"


def _examples(
    config: DataConfig,
    classes: tuple[str, ...],
    clips: Path | None,
    most: int,
    progress: Progress | None,
) -> Examples:
    if clips is None:
        return _test_clips(config, most, progress)
    if not isinstance(config, SoundConfig | ImagesConfig):
        raise UserError(f"--clips {clips}: a net of MNIST's arrays takes no files: leave it out")
    return clips_for(config, clips, classes, most)


def _test_clips(config: DataConfig, most: int, progress: Progress | None) -> Examples:
    try:
        data = load_dataset(config, progress=progress, for_training=False)
    except UserError as error:
        raise UserError(f"the run's own clips: {error}; or give others with --clips DIR") from None
    indices = evenly(data.indices("test"), data.labels, most)
    return Examples(data.clips[indices], data.labels[indices], data.ids[indices])
