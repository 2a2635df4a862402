"""Estimates against hand-worked cases."""

from collections.abc import Callable
from pathlib import Path

import pytest

from convscope.run import CONFIG, EPOCHS, Run
from convscope.sweeps.planning import estimate
from convscope.sweeps.planning.estimate import Estimates, estimates
from convscope.sweeps.planning.grid import make_sweep
from convscope.sweeps.planning.size import size_of
from convscope.training.cell import Cell

Cells = Callable[..., tuple[Cell, ...]]
LeaveRun = Callable[..., Run]


def estimated(cells: tuple[Cell, ...], out: Path) -> Estimates:
    return estimates({cell.name: cell for cell in cells}, out)


def flops(cell: Cell) -> int:
    size = size_of(cell)
    assert size is not None
    return size.flops


def need(cell: Cell) -> int:
    size = size_of(cell)
    assert size is not None
    return cell.train.batch_size * size.activation_bytes + 16 * size.params


def test_nothing_is_known_while_nothing_was_measured(cells: Cells, tmp_path: Path) -> None:
    (cell,) = cells()
    nothing = estimated((cell,), tmp_path / "none")
    assert (nothing.seconds(cell), nothing.memory_bytes(cell)) == (None, None)


def test_a_run_without_an_epoch_measures_nothing(
    cells: Cells, leave_run: LeaveRun, tmp_path: Path
) -> None:
    (cell,) = cells()
    leave_run(cell)
    assert estimated((cell,), tmp_path).seconds(cell) is None


def test_another_seed_takes_as_long_as_the_measured_one(
    cells: Cells, leave_run: LeaveRun, tmp_path: Path
) -> None:
    measured, other = cells(train__seed=[0, 1])
    leave_run(measured, [1.0, 3.0], peak_memory_bytes=500)
    result = estimated((measured, other), tmp_path)
    assert result.seconds(other) == pytest.approx(10 * 2.0)  # 10 epochs of 2 s on average
    assert result.memory_bytes(other) == 500


def test_runs_that_stopped_early_shorten_what_is_expected(
    cells: Cells, leave_run: LeaveRun, tmp_path: Path
) -> None:
    measured, other = cells(train__seed=[0, 1])
    leave_run(measured, [1.0] * 4, done=True)
    assert estimated((measured, other), tmp_path).seconds(other) == pytest.approx(4.0)


def test_another_network_takes_longer_by_its_flops(
    cells: Cells, leave_run: LeaveRun, tmp_path: Path
) -> None:
    measured, other = cells(model__kernel=[3, 9])
    leave_run(measured, [1.0])
    expected = 10 * flops(other) / flops(measured)
    assert expected > 11
    came = estimated((measured, other), tmp_path).seconds(other)
    assert came == pytest.approx(expected, abs=1e-3)


def test_more_clips_take_longer(cells: Cells, leave_run: LeaveRun, tmp_path: Path) -> None:
    a, b, c = cells(train__seed=[0, 1, 2], data__balance=["none"])
    more = make_sweep([{**c.config, "data": {**c.config["data"], "balance": "oversample"}}]).cells
    other = make_sweep([{**more[0].config, "train": {**more[0].config["train"], "seed": 9}}]).cells
    leave_run(a, [1.0], n_clips=100)
    leave_run(more[0], [4.0], n_clips=400)
    result = estimated((a, b, *more, *other), tmp_path)
    assert result.seconds(b) == pytest.approx(10.0)
    assert result.seconds(other[0]) == pytest.approx(40.0)


def test_the_median_of_the_same_family_goes_before_that_of_all(
    cells: Cells, leave_run: LeaveRun, tmp_path: Path
) -> None:
    custom, vgg, other = (
        *cells(model__family=["custom", "vgg"], model__kernel=[3]),
        *cells(model__kernel=[9]),
    )
    leave_run(custom, [1.0])
    leave_run(vgg, [1000.0])
    came = estimated((custom, vgg, other), tmp_path).seconds(other)
    assert came == pytest.approx(10 * flops(other) / flops(custom), abs=1e-3)


def test_only_the_device_that_most_runs_were_measured_on_counts(
    cells: Cells, leave_run: LeaveRun, tmp_path: Path
) -> None:
    a, b, c, d = cells(train__seed=[0, 1, 2, 3])
    leave_run(a, [9.0], device="cpu")
    leave_run(b, [1.0], device="NVIDIA H200")
    leave_run(c, [2.0], device="NVIDIA H200")
    assert estimated((a, b, c, d), tmp_path).seconds(d) == pytest.approx(10 * 1.5)


def test_a_larger_step_needs_more_memory_in_proportion_and_a_smaller_one_no_more(
    cells: Cells, leave_run: LeaveRun, tmp_path: Path
) -> None:
    small, measured, large = cells(model__base_channels=[2, 4, 8])
    leave_run(measured, [1.0], peak_memory_bytes=10**6)
    result = estimated((small, measured, large), tmp_path)
    assert result.memory_bytes(small) == 10**6
    assert result.memory_bytes(large) == round(10**6 * need(large) / need(measured))


def test_of_the_nearest_measured_steps_the_largest_claim_counts(
    cells: Cells, leave_run: LeaveRun, tmp_path: Path
) -> None:
    tiny, small, wanted, large, huge = cells(model__base_channels=[1, 2, 4, 8, 16])
    peaks = {tiny: 10**7, small: 10**6, large: 3 * 10**6, huge: 4 * 10**6}
    for cell, peak in peaks.items():
        leave_run(cell, [1.0], peak_memory_bytes=peak)
    claims = [peak * max(1, need(wanted) / need(cell)) for cell, peak in peaks.items()]
    result = estimated((*peaks, wanted), tmp_path)
    assert result.memory_bytes(wanted) == round(max(claims))


def test_runs_of_other_recipes_in_the_folder_count(
    cells: Cells, leave_run: LeaveRun, tmp_path: Path
) -> None:
    measured, other = cells(model__kernel=[3, 9])
    leave_run(measured, [1.0])
    assert estimated((other,), tmp_path).seconds(other) is not None


@pytest.mark.parametrize(
    ("file", "content"), [(EPOCHS, "epoch,seconds\n1,x\n"), (CONFIG, "{"), ("environment.json", "")]
)
def test_a_damaged_run_measures_nothing(
    cells: Cells, leave_run: LeaveRun, tmp_path: Path, file: str, content: str
) -> None:
    measured, other = cells(model__kernel=[3, 9])
    leave_run(measured, [1.0]).write(file, content)
    assert estimated((other,), tmp_path).seconds(other) is None


def test_of_many_runs_one_of_each_network_is_read_first(
    cells: Cells, leave_run: LeaveRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimate, "MOST_RUNS_READ", 2)
    some = cells(model__kernel=[3, 9], train__seed=[0, 1, 2])
    for cell in some:
        leave_run(cell, [float(cell.model.kernel)])  # type: ignore[union-attr]
    result = estimated(some, tmp_path)
    assert [result.seconds(cell) for cell in some] == pytest.approx([30.0] * 3 + [90.0] * 3)
