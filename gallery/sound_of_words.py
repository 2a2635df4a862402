"""What words sound like to a small net: sounds that drive its classes, beside the words themselves.

    python gallery/sound_of_words.py --out pictures
    python gallery/sound_of_words.py --out pictures --run RUN

Synthesises words and trains a small net on them, in about a minute, or takes a finished run on
waveforms. Then it maximises each class through a voice, without any clip, and draws the spectrogram
of what comes beside the mean of the net's test clips of that word; and some units of convolutions.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from convscope.data.load import load_dataset
from convscope.data.making.synthetic_words import REPORT_WORDS, make_words
from convscope.errors import UserError
from convscope.figures import empty_figure, power_decibels, style
from convscope.inside.maximise.part_maximise import look_units
from convscope.inside.maximise.spoken import ASCENT, spoken
from convscope.inside.results.loudness import levelled
from convscope.inside.results.writer import ResultWriter
from convscope.inside.subject.run_subject import subject_of_run
from convscope.inside.subject.subject import Choice, Subject
from convscope.run import Run
from convscope.training.cell import make_cell
from convscope.training.fit import fit

WINDOW, HOP = 256, 64
N_PAIRS = 4  # in a row of the picture
N_UNITS = 4


def main() -> int:
    """Write a picture of all words, a sound for each, and both for some units."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="a folder for what is made")
    parser.add_argument("--run", type=Path, help="a finished run on words; else one is trained")
    parser.add_argument("--clips", type=int, default=1600, help="words to synthesise")
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--steps", type=int, default=ASCENT.steps)
    given = parser.parse_args()
    try:
        run = Run(given.run) if given.run else trained(given.out, given.clips, given.epochs)
        subject = subject_of_run(run, None, 1024)
    except UserError as error:
        print(f"skipped: {error}")
        return 1
    draw(subject, given.steps, ResultWriter(given.out))
    return 0


def trained(out: Path, n_clips: int, epochs: int) -> Run:
    """A small net, trained on synthesised words."""
    words = make_words(out / "words", n_clips, seed=0)
    cell = make_cell(
        {
            "data": {"kind": "words", "folder": str(words), "words": REPORT_WORDS},
            "model": {"family": "residual", "base_channels": 16},
            "train": {"preset": "modern", "batch_size": 32, "epochs": epochs, "threads": 1},
        }
    )
    return fit(cell.model, load_dataset(cell.data), cell.train, out / "runs")


def draw(subject: Subject, steps: int, writer: ResultWriter) -> None:
    """The words, and some units of the first and the last convolution."""
    if subject.rate_hz is None:
        raise SystemExit(f"{subject.name} takes images: give a run on sounds")
    indices = range(len(subject.classes))
    ascent = replace(ASCENT, steps=steps)
    found = spoken(subject.whole, indices, subject.clip_shape, subject.rate_hz, ascent=ascent)
    for name, wave in zip(subject.classes, found.inputs[:, 0], strict=True):
        writer.sound(name.replace("/", "_"), levelled(wave), subject.rate_hz)
    writer.figure("words", words_figure(subject, found.inputs[:, 0], found.values))
    convs = [layer for layer in subject.layers.values() if layer.kind == "conv"]
    for layer in (convs[0], convs[-1]):
        look_units(subject, layer, Choice(n=N_UNITS), writer)
    for path in writer.made:
        print(path)


@style()
def words_figure(
    subject: Subject, waves: NDArray[np.float32], logits: NDArray[np.float32]
) -> Figure:
    """Pairs of spectrograms: what drives a class, and the mean of its clips."""
    n_rows = -(-len(waves) // N_PAIRS)
    figure = empty_figure(height=0.8 + 1.4 * n_rows)
    figure.suptitle(f"{subject.name}: what drives each word (left), the mean of its clips (right)")
    places = figure.subplots(n_rows, 2 * N_PAIRS, squeeze=False, sharex=True, sharey=True)
    for axes in np.ravel(places)[2 * len(waves) :]:
        axes.set_axis_off()
    pairs = np.reshape(places, (-1, 2))
    for i, (name, wave) in enumerate(zip(subject.classes, waves, strict=True)):
        _show(pairs[i][0], power_decibels(wave, WINDOW, HOP), subject, f"{logits[i]:.1f}")
        _show(pairs[i][1], mean_decibels(subject, i), subject, name)
    for axes in places[:, 0]:
        axes.set_ylabel("kHz", fontsize=8)
    for axes in places[-1]:
        axes.set_xlabel("s", fontsize=8)
    return figure


def mean_decibels(subject: Subject, index: int) -> NDArray[np.float64]:
    """The mean spectrogram of a class's clips, each moved so that its energy lies in the middle."""
    assert subject.examples is not None
    clips = subject.examples.clips[subject.examples.labels == index]
    powers = [10 ** (power_decibels(wave, WINDOW, HOP) / 10) for wave in clips[:, 0]]
    total = np.mean([_centred(power) for power in powers], axis=0) if powers else np.zeros((2, 2))
    return np.asarray(10 * np.log10(np.maximum(total / (total.max() or 1), 1e-12)))


def _centred(power: NDArray[np.float64]) -> NDArray[np.float64]:
    course = power.sum(0)
    middle = (course * np.arange(len(course))).sum() / course.sum()
    return np.roll(power, len(course) // 2 - round(middle), axis=1)


def _show(axes: Axes, decibels: NDArray[np.float64], subject: Subject, title: str) -> None:
    assert subject.rate_hz is not None
    seconds, nyquist = subject.clip_shape[1] / subject.rate_hz, subject.rate_hz / 2000
    extent = (0, seconds, 0, nyquist)
    axes.imshow(decibels, "magma", vmin=-50, vmax=0, extent=extent, aspect="auto")
    axes.set_title(title, fontsize=8)
    axes.tick_params(labelsize=7)
    axes.grid(visible=False)


if __name__ == "__main__":
    sys.exit(main())
