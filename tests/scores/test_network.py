"""Settings as people write them."""

from collections.abc import Callable

from convscope.data.config import SpectrogramConfig
from convscope.run import Run
from convscope.scores.board import board_rows
from convscope.scores.board_table import board_view, seeds_view
from convscope.scores.network import with_presets
from convscope.scores.pivot import pivot_view
from convscope.scores.seeds import by_seed

MakeRun = Callable[..., Run]
DIFFER = "the data of some runs differ though their settings are the same"


def test_the_reports_spectrogram_goes_by_its_name_and_any_other_by_its_keys() -> None:
    reports = SpectrogramConfig().model_dump(mode="json")
    other = {**reports, "window": 400}
    for spectrogram, shown in ((reports, "reports"), (other, other), (None, None)):
        config = {"data": {"kind": "words", "spectrogram": spectrogram}, "model": {}}
        assert with_presets(config)["data"]["spectrogram"] == shown
        assert config["data"] == {"kind": "words", "spectrogram": spectrogram}, "left as it was"


def test_data_of_the_same_settings_that_differ_are_told_apart_in_every_view(
    make_run: MakeRun,
) -> None:
    old, new = "0123456789", "abcdefghij"
    runs = [make_run(0.9, fingerprint=old), make_run(0.8, train__seed=1, fingerprint=new)]
    rows = board_rows(runs)
    for view in (board_view(rows), seeds_view(by_seed(rows))):
        headings = [column.heading for column in view.tables[0].columns]
        shown = [row[headings.index("data")] for row in view.tables[0].rows]
        assert shown == ["words 16 012345", "words 16 abcdef"]
        assert DIFFER in view.tables[0].note
    pivot = pivot_view(rows)
    assert sorted("abcdef" in table.title for table in pivot.tables) == [False, True]
    assert DIFFER in pivot.tables[0].note


def test_data_of_other_settings_differ_without_a_word(make_run: MakeRun) -> None:
    runs = [make_run(0.9), make_run(0.8, data__words=["word0", "word1"], fingerprint="other")]
    assert DIFFER not in board_view(board_rows(runs)).tables[0].note
    assert DIFFER not in board_view(board_rows(runs[:1])).tables[0].note
