"""How many planted label errors a ranking finds: precision and recall at the share planted.

    python benchmarks/planted_labels.py DIR               8 words of 700 clips each, 2 % swapped
    python benchmarks/planted_labels.py DIR --words 2 --per-word 40 --epochs 1     a small form

DIR is a folder of words in the layout of Speech Commands. After decoding, 2 % of the labels, of all
splits, are swapped for another class at random; nets are trained on the swapped labels. Three
rankings are measured: by the net's own predictions, which on training clips are not out of sample;
by cross-validated probes on its features; by nets trained anew without each of five folds. It goes
on where it stopped; the runs lie in --out.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.box import SIMPLE
from rich.table import Table

from convscope.api.training import load
from convscope.cli.show import print_table
from convscope.data.dataset import Dataset
from convscope.inside.cleaning.clean import (
    FOLDS,
    Probabilities,
    label_scores,
    mislabelled,
    softmax,
    unseen_probabilities,
)
from convscope.inside.cleaning.refit import refit_probabilities
from convscope.inside.probing.features import PENULTIMATE, features
from convscope.inside.subject.run_subject import subject_of_run
from convscope.inside.subject.subject import Examples
from convscope.training.cell import Cell, make_cell
from convscope.training.fit import fit


def main(
    folder: Annotated[Path, typer.Argument(help="Words in the layout of Speech Commands.")],
    words: Annotated[int, typer.Option("--words", help="The first so many, sorted.")] = 8,
    per_word: Annotated[int, typer.Option("--per-word", help="Clips of each at most.")] = 700,
    share: Annotated[float, typer.Option("--share", help="Of the labels that are swapped.")] = 0.02,
    epochs: Annotated[int, typer.Option("--epochs")] = 12,
    seed: Annotated[int, typer.Option("--seed")] = 0,
    out: Annotated[Path, typer.Option("--out")] = Path("runs/planted_labels"),
    json_file: Annotated[Path | None, typer.Option("--json-file")] = None,
) -> None:
    """Plant errors, train, rank, print a table, write it as JSON."""
    cell = _cell(folder, words, epochs, seed)
    data, planted = plant(_thinned(load(cell.data), per_word, seed), share, seed)
    out = out / f"{words}words_{per_word}_{share:g}"
    print(f"{len(planted)} clips, {planted.sum()} labels swapped")
    rows = [measure(name, data, planted, said) for name, said in rankings(cell, data, out)]
    table = Table(*rows[0], box=SIMPLE)
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    print_table(table)
    if json_file:
        json_file.write_text(json.dumps(rows, indent=1) + "\n")


def plant(data: Dataset, share: float, seed: int) -> tuple[Dataset, NDArray[np.bool_]]:
    """The data with some labels swapped for another class, and which (n_clips,)."""
    rng = np.random.default_rng([seed, 1])
    n = len(data.labels)
    planted = np.zeros(n, np.bool_)
    planted[rng.choice(n, round(share * n), replace=False)] = True
    labels = data.labels.copy()
    other = rng.integers(1, data.n_classes, int(planted.sum()))
    labels[planted] = (labels[planted] + other) % data.n_classes
    return replace(data, labels=labels, fingerprint=f"{data.fingerprint} planted"), planted


def rankings(cell: Cell, data: Dataset, out: Path) -> list[tuple[str, Probabilities]]:
    """What is said of every clip (n_clips, n_classes), in three ways."""
    run = fit(cell.model, data, cell.train, out)
    print(
        f"trained on the swapped labels: {run.folder}, test accuracy {run.scores['accuracy']:.3f}"
    )
    subject = subject_of_run(run, None, most=data.n_classes)
    examples = Examples(data.clips, data.labels, data.ids)
    found = features(subject, examples, {"logits": subject.layers["logits"]})
    own = softmax(found["logits"].values)
    probes, seen = own.copy(), np.flatnonzero(data.splits != 2)
    values = found[PENULTIMATE].values[seen]
    probes[seen] = unseen_probabilities(values, data.labels[seen], data.n_classes)
    anew = refit_probabilities(cell.model, data, cell.train, FOLDS, out / "folds")
    return [
        ("the net's own answers", own),
        ("probes on its features", probes),
        (f"trained anew, {FOLDS} folds", anew),
    ]


def measure(
    name: str, data: Dataset, planted: NDArray[np.bool_], said: Probabilities
) -> dict[str, Any]:
    """Precision and recall among the most suspect clips, as many as were planted, and twice that;
    and of those that confident learning marks."""
    from sklearn.metrics import average_precision_score

    scores = label_scores(data.labels, said)
    order, n = np.argsort(scores), int(planted.sum())
    marked = mislabelled(data.labels, said)
    return {
        "ranking": name,
        f"precision = recall at {n}": round(float(planted[order[:n]].mean()), 3),
        f"recall at {2 * n}": round(float(planted[order[: 2 * n]].sum() / n), 3),
        "average precision": round(float(average_precision_score(planted, -scores)), 3),
        "marked": int(marked.sum()),
        "precision of marked": round(float(planted[marked].mean()), 3) if marked.any() else None,
        "recall of marked": round(float(planted[marked].sum() / n), 3),
    }


def _cell(folder: Path, words: int, epochs: int, seed: int) -> Cell:
    names = sorted(path.name for path in folder.iterdir() if path.is_dir())[:words]
    return make_cell(
        {
            "data": {"kind": "words", "folder": str(folder), "words": names},
            "model": {"family": "residual"},
            "train": {"preset": "modern", "epochs": epochs, "seed": seed, "threads": 1},
        }
    )


def _thinned(data: Dataset, per_word: int, seed: int) -> Dataset:
    rng = np.random.default_rng([seed, 0])
    left_out: list[str] = []
    for label in range(data.n_classes):
        own = rng.permutation(np.flatnonzero(data.labels == label))
        left_out += data.ids[own[per_word:]].tolist()
    return data.without(left_out)


if __name__ == "__main__":
    typer.run(main)
