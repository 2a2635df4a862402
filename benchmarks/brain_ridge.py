"""Ridge for many voxels: ours beside himalaya alone, in one run.

    python benchmarks/brain_ridge.py      20,000 voxels, 512 features, 10 penalties, 6 runs of 100
    python benchmarks/brain_ridge.py --voxels 500 --features 32 --volumes 120       a small form
    python benchmarks/brain_ridge.py --backend torch_cuda                           on a GPU

himalaya alone: its solver on each training set, and a product with the weights for the test set;
ours does the same with standardised features, masks, scores and the choice of penalties kept.
"""

import resource
import time
from typing import Annotated

import numpy as np
import typer

from convscope.brain.encoding.draws import run_draws
from convscope.brain.encoding.encode import encode
from convscope.brain.encoding.ridge import penalty_grid, using


def main(
    voxels: int = 20_000,
    features: int = 512,
    volumes: int = 600,
    folds: int = 6,
    penalties: int = 10,
    backend: str = "torch",
    repeats: Annotated[int, typer.Option(help="The fastest of so many counts.")] = 2,
) -> None:
    """Print seconds of both, their ratio, and the most memory."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(volumes, features)).astype(np.float32)
    signal = x[:, :20] @ rng.normal(size=(20, voxels)).astype(np.float32)
    y = signal + 5 * rng.normal(size=(volumes, voxels)).astype(np.float32)
    draw = run_draws(np.repeat(np.arange(folds), -(-volumes // folds))[:volumes])[0]
    grid = penalty_grid((0.1, 1e5, penalties))

    def alone() -> np.ndarray:  # type: ignore[type-arg]
        from himalaya.ridge import solve_ridge_cv_svd

        predicted = np.empty_like(y)
        with using(backend) as computing:
            for fold, inner in zip(draw.folds, draw.inner, strict=True):
                weights = solve_ridge_cv_svd(
                    computing.asarray(x[fold.train]),
                    computing.asarray(y[fold.train]),
                    alphas=computing.asarray(grid.astype(np.float32)),
                    cv=[(each.train, each.test) for each in inner],
                    n_targets_batch=4096,
                    warn=False,
                )[1]
                predicted[fold.test] = x[fold.test] @ computing.to_numpy(weights)
        return predicted

    def ours() -> np.ndarray:  # type: ignore[type-arg]
        return encode(x, y, [draw], grid, backend=backend).predictions[0]

    seconds = {}
    for name, function in (("himalaya alone", alone), ("ours", ours)):
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            function()
            times.append(time.perf_counter() - start)
        seconds[name] = min(times)
        print(f"{name:<16}{seconds[name]:8.2f} s")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"ours / himalaya {seconds['ours'] / seconds['himalaya alone']:8.2f}")
    print(f"most memory     {memory:8.2f} GiB")


if __name__ == "__main__":
    typer.run(main)
