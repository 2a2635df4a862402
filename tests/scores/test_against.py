"""Our runs beside stated accuracies."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from convscope.errors import UserError
from convscope.scores.against import against_view, read_stated
from convscope.scores.board import board_rows

MakeRun = Callable[..., Any]

REFERENCE = Path(__file__).parents[1] / "reference" / "accuracy_tables.csv"

HEAD = (
    "family,conv_layers,kernel,base_channels,fc_hidden,activation,initializer,dropout,"
    "batch_norm,accuracy\n"
)


def table(folder: Path, *lines: str) -> Path:
    path = folder / "stated.csv"
    path.write_text(HEAD + "".join(f"{line}\n" for line in lines))
    return path


def test_each_stated_accuracy_is_held_against_our_interval(
    make_run: MakeRun, tmp_path: Path
) -> None:
    path = table(
        tmp_path,
        "custom,8,5,64,0,relu,glorot_uniform,0.5,False,0.91",
        "custom,8,5,64,0,,,0.25,True,0.95",
        "custom,7,5,64,0,,,0.5,False,0.7",
        "custom,6,5,64,0,,,0.5,False,0.5",
        "custom,5,5,64,0,,,0.5,False,",
    )
    runs = [
        make_run(0.90),  # 900 of 1000: Wilson's interval is 0.880 to 0.917
        make_run(0.90, model__dropout=0.25, model__batch_norm=True),
        make_run(0.80, model__conv_layers=7),
        make_run(0.80, model__conv_layers=5),
        make_run(0.99, model__conv_layers=7, model__head="average"),
        make_run(None, model__conv_layers=6),
    ]
    view = against_view(board_rows(runs), path)
    assert [(each["line"], each["inside"]) for each in view.records] == [
        (2, True),
        (3, False),
        (4, False),
    ]
    assert [each["difference"] for each in view.records] == pytest.approx([-0.01, -0.05, 0.1])
    assert view.summary == {
        "n_lines": 4,
        "n_matched": 3,
        "n_without_run": 1,
        "n_compared": 3,
        "n_inside": 1,
        "n_stated_above": 1,
        "n_stated_below": 1,
    }
    assert view.tables[0].rows[1] == (
        "custom 8×5 ch64 do0.25 BN",
        "1",
        "0.9000",
        "0.9500",
        "-0.0500",
        "0.880–0.917",
        "no",
    )
    assert "3 of 4 stated accuracies have runs, 1 have none" in view.tables[0].note


def test_of_several_seeds_the_mean_counts_with_its_t_interval(
    make_run: MakeRun, tmp_path: Path
) -> None:
    path = table(tmp_path, "custom,8,5,64,0,relu,glorot_uniform,0.5,False,0.6")
    runs = [make_run(0.8), make_run(0.9, train__seed=1)]
    [record] = against_view(board_rows(runs), path).records
    # t with one degree is 12.706; 0.85 ± 12.706 · 0.0707 / √2 holds nearly everything
    assert record["accuracy"] == pytest.approx(0.85)
    assert record["interval"] == pytest.approx([0.85 - 0.6353, 1.0], abs=1e-4)
    assert (record["n_seeds"], record["interval_kind"], record["inside"]) == (2, "t", True)


def test_other_training_and_other_data_are_compared_apart(
    make_run: MakeRun, tmp_path: Path
) -> None:
    path = table(tmp_path, "custom,8,5,64,0,,,0.5,False,0.9")
    runs = [make_run(0.9), make_run(0.8, train__epochs=5), make_run(0.7, fingerprint="other")]
    view = against_view(board_rows(runs), path)
    assert [each["accuracy"] for each in view.records] == [0.9, 0.8, 0.7]
    assert view.summary is not None
    assert (view.summary["n_matched"], view.summary["n_compared"]) == (1, 3)
    assert "data" in [column.heading for column in view.tables[0].columns]
    assert view.tables[0].rows[1][0] == "custom 8×5 ch64 do0.5 epochs=5"


def test_every_line_of_the_reports_table_is_understood(make_run: MakeRun) -> None:
    stated = read_stated(REFERENCE)
    assert len(stated) == 361
    assert sum(each.accuracy is None for each in stated) == 4
    assert len({each.architecture for each in stated}) == 359
    run = make_run(0.94, model__family="long_filter", model__conv_layers=9, model__base_channels=32)
    [record] = against_view(board_rows([run]), REFERENCE).records
    assert (record["kernel"], record["activation"], record["stated_accuracy"]) == (
        192,
        "relu",
        0.9445,
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "family,accuracy\na,1\n",
            "lacks the columns conv_layers, kernel, .*: expected a CSV file",
        ),
        (HEAD + "custom,8,5,64,0,,,0.5,maybe,1\n", "line 2: batch_norm: expected True or False"),
        (HEAD + "custom,8,5,64,0,,,0.5,True,high\n", "accuracy: expected a number, got 'high'"),
        (HEAD + "custom,8.5,5,64,0,,,0.5,True,1\n", "conv_layers: expected a number, got '8.5'"),
        (HEAD + "custom,8\n", "line 2: kernel: expected a number, got ''"),
        ("", "lacks the columns family"),
    ],
)
def test_a_file_that_is_no_such_table_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        read_stated(path)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone.csv cannot be read \(No such file"):
        read_stated(tmp_path / "gone.csv")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="is no CSV file in UTF-8"):
        read_stated(tmp_path / "bytes.csv")
