"""Clips that a recipe leaves out."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from convscope.data.config import MnistConfig, WordsConfig
from convscope.data.exclude import (
    excluded_ids,
    exclusion_line,
    find_excluded,
    read_exclusions,
    said,
)
from convscope.data.load import load_dataset
from convscope.errors import UserError
from convscope.recipes import read_cell
from convscope.training.cell import Cell, make_cell

Make = Callable[..., Path]
SHORT = {"seconds": 0.1}
GONE = ["bed/00000003_nohash_0.wav", "cat/00000001_nohash_0.wav"]


@pytest.fixture
def words(tmp_path: Path, cache: Path, make_words: Make) -> Path:
    return make_words(tmp_path / "words", ("bed", "cat", "yes"))


@pytest.fixture
def cell(tmp_path: Path) -> Callable[..., Cell]:
    """`cell("data.exclude=…")` of a small recipe."""
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("data: {kind: words, words: [bed, cat]}\nmodel: {family: custom}\n")
    return lambda *assignments: read_cell(recipe, assignments)


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_list_has_an_id_a_line_and_comments_on_lines_of_their_own(tmp_path: Path) -> None:
    text = """\ufeff# made by hand\r\n\nb/take #3.wav\r\n  a/1.wav\t\n #x\n"#2\\n\\u0085.wav"\n"""
    ids = read_exclusions(written(tmp_path / "exclude.txt", text))
    assert ids == ["b/take #3.wav", "a/1.wav", "#2\n\x85.wav"]


@given(st.lists(st.text(min_size=1)))
@example(["a/take #3.wav", "#1.wav", '"so".wav', "a\nb", "a\rb\r\n", " a ", "\u2028", "\udcff.wav"])
def test_any_name_is_written_and_read_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, ids: list[str]
) -> None:
    path = tmp_path_factory.getbasetemp() / "ids.txt"
    path.write_text("".join(f"{exclusion_line(id)}\n" for id in ids), encoding="utf-8")
    assert read_exclusions(path) == ids


def test_quotes_that_do_not_end_are_refused_by_their_line(tmp_path: Path) -> None:
    path = written(tmp_path / "exclude.txt", 'a.wav\n"b.wav\n')
    with pytest.raises(ValueError, match=r"^line 2 of .* in quotes as JSON .*, got \"b\.wav$"):
        read_exclusions(path)


def test_an_id_is_found_however_its_path_is_written() -> None:
    known = ["a/1.wav", "cafe\u0301.wav", "a/take #3.wav"]
    ids, unknown = find_excluded(["./a//1.wav", "caf\u00e9.wav", "a/take"], known)
    assert (ids, unknown) == ({"a/1.wav", "cafe\u0301.wav"}, ["a/take"])


def test_excluded_clips_leave_the_data_set_and_are_counted(words: Path) -> None:
    whole = load_dataset(WordsConfig(folder=str(words), **SHORT))
    less = load_dataset(WordsConfig(folder=str(words), exclude=GONE, **SHORT))
    kept = ~np.isin(whole.ids, GONE)
    assert (less.n_excluded, len(less.ids)) == (2, len(whole.ids) - 2)
    for name in ("clips", "labels", "splits", "ids", "exact"):
        np.testing.assert_array_equal(getattr(less, name), getattr(whole, name)[kept])
    assert less.fingerprint == whole.fingerprint


def test_leaving_out_at_once_or_later_is_the_same(words: Path) -> None:
    at_once = load_dataset(WordsConfig(folder=str(words), exclude=GONE, **SHORT))
    later = load_dataset(WordsConfig(folder=str(words), **SHORT)).without(GONE)
    assert later.config == at_once.config
    assert later.n_excluded == at_once.n_excluded
    np.testing.assert_array_equal(later.ids, at_once.ids)


def test_rows_of_mnist_can_be_excluded(real_data: Callable[[str], Path]) -> None:
    data = load_dataset(MnistConfig(folder=str(real_data("mnist")), exclude=["train-00042"]))
    assert data.n_excluded == 1
    assert "train-00042" not in data.ids
    assert "train-00043" in data.ids


def test_an_excluded_file_that_cannot_be_read_is_no_bad_file(words: Path) -> None:
    for id in GONE:
        (words / id).write_bytes(b"")
    config = WordsConfig(folder=str(words), exclude=GONE, max_bad_share=0, **SHORT)
    assert load_dataset(config).left_out == ()


def test_ids_of_no_clip_are_named_in_a_warning(
    words: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = WordsConfig(folder=str(words), exclude=[*GONE, "cat/nobody.wav"], **SHORT)
    with caplog.at_level(logging.WARNING):
        assert load_dataset(config).n_excluded == 2
    assert "1 of its 3 ids are of no clip in" in caplog.text
    assert "words: 'cat/nobody.wav': mend them or take them out" in caplog.text


def test_an_old_list_with_comments_behind_its_ids_is_told_where_they_belong(
    words: Path, caplog: pytest.LogCaptureFixture
) -> None:
    load_dataset(WordsConfig(folder=str(words), exclude=[f"{GONE[0]}  # silent"], **SHORT))
    assert "0.wav  # silent' (a comment stands on a line of its own)" in caplog.text


def test_clips_of_words_that_are_not_asked_for_are_known(
    words: Path, caplog: pytest.LogCaptureFixture
) -> None:
    load_dataset(WordsConfig(folder=str(words), words=("bed", "yes"), exclude=GONE, **SHORT))
    assert caplog.text == ""


def test_the_ids_and_not_the_file_decide_a_cells_name(
    tmp_path: Path, cell: Callable[..., Cell]
) -> None:
    one = written(tmp_path / "one.txt", "# twice\na/1.wav\nb/2.wav\na/1.wav\n")
    same = written(tmp_path / "same.txt", "b/2.wav\na/1.wav\n")
    other = written(tmp_path / "other.txt", "b/2.wav\n")
    names = [cell(f"data.exclude={path}").name for path in (one, same, other)]
    assert names[0] == names[1] == cell("data.exclude=[b/2.wav, a/1.wav]").name
    assert len({*names, cell().name}) == 3


def test_a_list_that_leaves_nothing_out_changes_no_name(
    tmp_path: Path, cell: Callable[..., Cell]
) -> None:
    empty = written(tmp_path / "empty.txt", "# nothing yet\n")
    assert cell(f"data.exclude={empty}").name == cell().name == cell("data.exclude=null").name
    assert "exclude" not in cell().identity["data"]


def test_a_written_config_needs_the_file_no_more(tmp_path: Path, cell: Callable[..., Cell]) -> None:
    path = written(tmp_path / "exclude.txt", "a/1.wav\n")
    made = cell(f"data.exclude={path}")
    path.unlink()
    assert make_cell(yaml.safe_load(yaml.safe_dump(made.config))) == made


def test_a_missing_list_is_told_before_any_data(cell: Callable[..., Cell]) -> None:
    message = r"^data\.exclude: gone\.txt does not exist: expected a file with a clip's id a line"
    with pytest.raises(UserError, match=message):
        cell("data.exclude=gone.txt")


def test_a_list_that_is_no_text_or_no_list_is_refused(
    tmp_path: Path, cell: Callable[..., Cell]
) -> None:
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\xff")
    with pytest.raises(UserError, match=r"picture\.png is no text in UTF-8"):
        cell(f"data.exclude={tmp_path / 'picture.png'}")
    with pytest.raises(UserError, match=r"cannot be read \(Is a directory\)"):
        cell(f"data.exclude={tmp_path}")
    with pytest.raises(
        UserError, match=r"data\.exclude: expected a file .* or a list of ids, got 5"
    ):
        cell("data.exclude=5")
    assert excluded_ids(["b", "a", "b"]) == ("a", "b")


def test_a_list_is_said_in_short_by_what_is_in_it() -> None:
    assert said(["a", "b"]) == said(("b", "a")) != said(["a", "c"])
    assert said(["a", "b"]).startswith("2 clips ")
