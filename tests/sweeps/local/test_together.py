"""Which cells of a sweep are trained together, whether that pays, and a sweep that does it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from convscope.data.load import load_dataset
from convscope.run import Run
from convscope.sweeps.driving.cells import Standing, SweepCell
from convscope.sweeps.driving.driver import Sweep, View
from convscope.sweeps.driving.folder import SweepFolder, find_sweeps
from convscope.sweeps.driving.messages import Slot
from convscope.sweeps.driving.politeness import Politeness
from convscope.sweeps.local.speedup import Speeds, measure
from convscope.sweeps.local.together import groups, measured_apart, settle, those_that_pay
from convscope.sweeps.planning.config import SweepConfig
from convscope.sweeps.planning.grid import make_sweep
from convscope.sweeps.planning.plan import plan
from convscope.sweeps.run_sweep import Where, run_sweep
from convscope.training.cell import Cell, make_cell
from convscope.training.fit import fit

Recipe = dict[str, Any]
Cells = Callable[..., tuple[Cell, ...]]
Train = Callable[..., tuple[Standing, list[str]]]

CPU = Slot("here", 0)


def names_of(found: Sequence[Sequence[Cell]]) -> list[list[str]]:
    return [[cell.name for cell in group] for group in found]


def test_cells_are_grouped_by_architecture_and_none_is_a_group_of_its_own(cells: Cells) -> None:
    """Dropout and learning rate differ within a group, the filter's length between groups."""
    small = cells(model__kernel=[3], model__dropout=[0.1, 0.5], train__learning_rate=[0.1, 0.01])
    large = cells(model__kernel=[5], train__seed=[0, 1])
    single = cells(model__kernel=[7])
    found = groups([*small, *large, *single], most=3)
    assert names_of(found) == names_of([small[:3], large])


def test_the_cells_of_one_kind_are_spread_over_the_gpus(cells: Cells) -> None:
    ten = cells(train__seed=list(range(10)))
    assert [len(group) for group in groups(ten, most=16, n_places=3)] == [4, 4, 2]
    assert [len(group) for group in groups(ten, most=3, n_places=1)] == [3, 3, 3]


def test_groups_are_kept_where_their_measurement_says_so_and_one_kind_is_measured_once(
    cells: Cells,
) -> None:
    quick = [list(cells(model__kernel=[3], train__seed=seeds)) for seeds in ([0, 1], [2, 3])]
    slow = list(cells(model__kernel=[5], train__seed=[0, 1]))
    broken = list(cells(model__kernel=[7], train__seed=[0, 1]))
    speeds = {3: Speeds(100, 500), 5: Speeds(100, 110), 7: "no GPU today"}
    measured: list[Any] = []
    lines: list[str] = []

    def measure_group(group: Sequence[Cell]) -> Any:
        kernel = group[0].model.kernel  # type: ignore[union-attr]
        measured.append(kernel)
        return speeds[kernel]

    kept = those_that_pay([*quick, slow, broken], measure_group, lines.append)
    assert kept == quick
    assert measured == [3, 5, 7]
    assert [line.partition(" are trained ")[2] for line in lines] == [
        "together: together 5.0 times as fast",
        "alone: together 1.1 times as fast",
        "alone, as no measurement was possible: no GPU today",
    ]


@pytest.fixture
def sweep(cells: Cells, tmp_path: Path) -> Sweep:
    planned = plan(cells(train__seed=[0, 1, 2]), tmp_path, 3)
    waiting = [SweepCell(each) for each in planned]
    waiting[0].state = "done"
    return Sweep(SweepFolder(tmp_path, "test"), waiting, SweepConfig(), View())


class Slots:
    """All that is looked at of a pool."""

    def __init__(self, *slots: Slot) -> None:
        self.slots = slots


def settled(sweep: Sweep, most: int | None, *slots: Slot) -> list[list[str]]:
    polite = Politeness(lambda _: None, lambda _: None, 1, "me")
    return settle(sweep, Slots(*slots), most, polite)  # type: ignore[arg-type]


def test_on_a_cpu_cells_are_together_only_when_that_is_asked_for(sweep: Sweep) -> None:
    waiting = [cell.name for cell in sweep.cells[1:]]
    assert settled(sweep, None, CPU) == []
    assert settled(sweep, 1, CPU) == []
    assert settled(sweep, 8, CPU) == [waiting]


def test_on_a_gpu_a_measurement_is_made_once_the_gpu_is_free(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu, asked = Slot("here", 0, "GPU-a"), []
    reasons = iter(["somebody computes", None])
    monkeypatch.setattr(Politeness, "why_wait", lambda *_: next(reasons))
    monkeypatch.setattr("convscope.sweeps.local.together.SECONDS_BETWEEN_LOOKS", 0)

    def measured(group: Sequence[Cell], slot: Slot) -> Speeds:
        asked.append((len(group), slot))
        return Speeds(1, 5)

    monkeypatch.setattr("convscope.sweeps.local.together.measured_apart", measured)
    assert settled(sweep, None, gpu) == [[cell.name for cell in sweep.cells[1:]]]
    assert asked == [(2, gpu)]


@pytest.mark.parametrize("model", [{"family": "mnist"}, {"family": "baseline2d"}])
def test_a_measurement_trains_cells_on_clips_of_their_shape(model: Recipe) -> None:
    data: Recipe = {"kind": "mnist"}
    if model["family"] == "baseline2d":
        model = {**model, "conv_layers": 2, "fc_hidden": 0}
        spectrogram = {"window": 64, "stride": 64}
        data = {"kind": "words", "words": "all", "rate_hz": 2000, "spectrogram": spectrogram}
    train = {"batch_size": 2, "device": "cpu", "threads": 1}
    cells = [
        make_cell({"data": data, "model": model, "train": {**train, "seed": i}}) for i in range(2)
    ]
    speeds = measure(cells, seconds=0, steps=2)
    assert speeds.alone > 0
    assert speeds.together > 0


def test_a_measurement_that_fails_says_why() -> None:
    train = {"device": "cuda"}
    cell = make_cell({"data": {"kind": "mnist"}, "model": {"family": "mnist"}, "train": train})
    assert "torch finds no cuda device here" in str(measured_apart([cell, cell], CPU))


def test_a_sweep_of_cells_that_are_trained_together(small_recipe: Recipe, tmp_path: Path) -> None:
    """One of them explodes: it is tried alone, and the others are as they are alone."""
    rates = [0.001, 1e30, 0.002]
    recipe = {
        **small_recipe,
        "grid": {"product": {"train.learning_rate": rates}},
        "sweep": {"attempts": 1},
    }
    cells = make_sweep([recipe]).cells
    lines: list[str] = []
    view = View()
    view.line = lines.append  # type: ignore[method-assign,assignment]
    out = tmp_path / "runs"
    standing = run_sweep(make_sweep([recipe], "test"), out, Where(workers=1, together=3), view)
    states = {cell.name: cell.state for cell in standing.cells}
    assert [states[cell.name] for cell in cells] == ["done", "failed", "done"]
    assert find_sweeps(out)[0].together == [[cell.name for cell in cells]]
    assert any(f"{cells[1].name} ended and is tried again alone" in line for line in lines)
    for cell in (cells[0], cells[2]):
        alone = fit(cell.model, load_dataset(cell.data), cell.train, tmp_path / "alone")
        losses, others = (
            [row["validation_loss"] for row in run.epochs] for run in (alone, Run(out / cell.name))
        )
        assert others == pytest.approx(losses, rel=1e-4)
