"""Why volumes are never shuffled into folds: noise that predicts noise.

    python gallery/shuffled_volumes.py --out pictures

Slow noise stands for features, other slow noise for the responses of a brain: nothing connects the
two. With shuffled folds each left-out volume has a neighbour in the training set that is nearly the
same, and ridge regression looks the answer up there. The slower the noise, the better the lie.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from convscope.brain.encoding.draws import block_draws
from convscope.brain.encoding.encode import Draw, encode
from convscope.brain.encoding.folds import stimulus_folds
from convscope.errors import UserError
from convscope.figures import BLUE, ORANGE, style
from convscope.inside.results.writer import ResultWriter

N_VOLUMES, N_FEATURES, N_TARGETS, N_FOLDS = 300, 20, 10, 6
WIDTHS = (1, 3, 7, 13, 25)
GRID = np.logspace(-2, 4, 7)


def main() -> int:
    """Parse, compute, write, and print what was made."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="the folder of the picture")
    parser.add_argument("--seeds", type=int, default=5, help="how often noise is drawn")
    options = parser.parse_args()
    results = ResultWriter(options.out)
    try:
        results.figure("shuffled_volumes", picture(measured(options.seeds)))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    print(*results.made, sep="\n")
    return 0


def measured(n_seeds: int) -> NDArray[np.float64]:
    """(2, n_widths) mean r on held-out volumes: shuffled folds, then contiguous ones."""
    found = np.zeros((2, len(WIDTHS), n_seeds))
    for w, width in enumerate(WIDTHS):
        for seed in range(n_seeds):
            noise = slow_noise(width, seed)
            features, responses = noise[:, :N_FEATURES], noise[:, N_FEATURES:]
            shuffled = stimulus_folds(list(range(N_VOLUMES)), N_FOLDS, seed)
            careless = [Draw(shuffled, ((),) * N_FOLDS, one_out=True)]
            honest = block_draws(np.zeros(N_VOLUMES), N_FOLDS, gap=10)
            for k, draws in enumerate((careless, honest)):
                found[k, w, seed] = encode(features, responses, draws, GRID).r(responses).mean()
    mean: NDArray[np.float64] = found.mean(axis=2)
    return mean


def slow_noise(width: int, seed: int) -> NDArray[np.float64]:
    """(n_volumes, n_columns) white noise under a Hann window of so many volumes."""
    white = np.random.default_rng(seed).normal(size=(N_VOLUMES, N_FEATURES + N_TARGETS))
    window = np.hanning(width + 2)
    return np.stack([np.convolve(column, window, "same") for column in white.T], axis=1)


@style()
def picture(r: NDArray[np.float64]) -> Figure:
    """r over the slowness of the noise."""
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = figure.add_subplot()
    axes.axhline(0, color="black", lw=0.8)
    axes.plot(WIDTHS, r[0], "o-", color=ORANGE, label="shuffled volumes")
    axes.plot(WIDTHS, r[1], "s-", color=BLUE, label="contiguous blocks, gap of 10")
    axes.set_xlabel("slowness of the noise (volumes)")
    axes.set_ylabel("r on held-out volumes; the truth is 0")
    axes.legend()
    return figure


if __name__ == "__main__":
    sys.exit(main())
