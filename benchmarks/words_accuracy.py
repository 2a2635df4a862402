"""Test accuracy of two nets on a folder of words, over several seeds, beside what is expected.

    python benchmarks/words_accuracy.py DIR                      both nets, three seeds, in full
    python benchmarks/words_accuracy.py DIR --epochs 1 --seeds 0 --base-channels 4    a small form

The expected figures are for the 16 words and 24,885 training clips of $CONVSCOPE_TEST_DATA/words.
It goes on where it stopped; the runs lie in --out.
"""

import json
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.table import Table

from convscope.api.training import load
from convscope.cli.show import print_table
from convscope.progress.training_bar import TrainingBar
from convscope.recipes import read_cell
from convscope.training.fit import fit

RECIPES = Path(__file__).parents[1] / "recipes"


@dataclass(frozen=True)
class Net:
    """A recipe, what to lay over it, and the mean test accuracy that is expected at least."""

    recipe: str
    assignments: tuple[str, ...]
    expected: float


NETS = {
    "custom ch64": Net("reports/words16_custom_ch64.yaml", ("model.dropout=0.5",), 0.906),
    "residual": Net("words16_residual.yaml", (), 0.9347),
}

ALL_WORDS = ("data.words=all", "data.only_full_second=false")


def main(
    folder: Annotated[Path, typer.Argument(help="Words in the layout of Speech Commands.")],
    seeds: Annotated[list[int], typer.Option("--seeds")] = [0, 1, 2],  # noqa: B006 (typer's way)
    only: Annotated[str | None, typer.Option("--only", help=f"One of {list(NETS)}.")] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", help="At most so many.")] = None,
    base_channels: Annotated[int | None, typer.Option("--base-channels")] = None,
    out: Annotated[Path, typer.Option("--out")] = Path("runs/words_accuracy"),
    json_file: Annotated[Path | None, typer.Option("--json-file")] = None,
) -> None:
    """Train every net with every seed, print a table, write it as JSON."""
    small = [f"train.epochs={epochs}"] if epochs else []
    small += [f"model.base_channels={base_channels}"] if base_channels else []
    rows = []
    for name, net in NETS.items():
        if only in (None, name):
            own = [f"data.folder={folder}", *ALL_WORDS, *net.assignments, *small]
            rows.append(measure(name, net, own, seeds, out))
            if json_file:
                json_file.write_text(json.dumps(rows, indent=1) + "\n")
    table = Table("net", "params", "each", "mean", "expected", "holds", "s an epoch", box=SIMPLE)
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    print_table(table)


def measure(
    name: str, net: Net, assignments: list[str], seeds: list[int], out: Path
) -> dict[str, object]:
    """One net over all seeds."""
    runs = []
    for seed in seeds:
        own = [*net.assignments, *assignments, f"train.seed={seed}"]
        cell = read_cell(RECIPES / net.recipe, own)
        with TrainingBar(cell.train.epochs) as bar:
            runs.append(fit(cell.model, load(cell.data), cell.train, out, bar))
    accuracies = [run.scores["accuracy"] for run in runs]
    mean = statistics.mean(accuracies)
    return {
        "net": name,
        "parameters": runs[0].scores["params"],
        "accuracies": [round(accuracy, 4) for accuracy in accuracies],
        "mean": round(mean, 4),
        "expected": net.expected,
        "holds": mean >= net.expected,
        "seconds": round(statistics.mean(row["seconds"] for run in runs for row in run.epochs), 1),
    }


if __name__ == "__main__":
    typer.run(main)
