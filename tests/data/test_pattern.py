"""Fields of a path."""

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convscope.data import pattern as module
from convscope.data.pattern import PathPattern
from convscope.names import normalised


def test_the_names_of_spoken_digits_give_digit_speaker_and_take() -> None:
    fields = PathPattern("{label}_{speaker}_{take}").fields_of("7_jackson_32")
    assert fields == {"label": "7", "speaker": "jackson", "take": "32"}


def test_folders_take_part_and_empty_braces_match_anything() -> None:
    pattern = PathPattern("{label}/{fold}-{take}-{}")
    assert pattern.fields == ("label", "fold", "take")
    found = pattern.fields_of("001 - Dog bark/1-100032-A")
    assert found == {"label": "001 - Dog bark", "fold": "1", "take": "100032"}
    assert PathPattern("{}{{{label}}}").fields_of("a/b/{cat}") == {"label": "cat"}


@pytest.mark.parametrize("path", ["7_jackson", "x/7_jackson_3", "7__3", "7_jackson_3/a", ""])
def test_what_differs_does_not_match(path: str) -> None:
    assert PathPattern("{label}_{speaker}_{take}").fields_of(path) is None


def test_a_field_takes_as_little_as_it_can() -> None:
    assert PathPattern("{label}_{rest}").fields_of("a_b_c") == {"label": "a", "rest": "b_c"}


def test_a_field_that_stands_twice_has_one_text() -> None:
    pattern = PathPattern("{label}/{label}_{take}")
    assert pattern.fields_of("dog/dog_1") == {"label": "dog", "take": "1"}
    assert pattern.fields_of("dog/cat_1") is None


def test_signs_of_regular_expressions_are_plain_text_and_accents_read_alike() -> None:
    assert PathPattern("a.b+({label})").fields_of("a.b+(x)") == {"label": "x"}
    assert PathPattern("a.b+({label})").fields_of("aXb+(x)") is None
    assert PathPattern("caf\u00e9_{label}").fields_of("cafe\u0301_x") == {"label": "x"}


texts = st.text(st.characters(exclude_characters="_/", categories=("L", "N")), min_size=1).map(
    normalised
)


@given(texts, texts, texts)
def test_what_a_name_was_made_of_comes_back(label: str, speaker: str, take: str) -> None:
    fields = PathPattern("{label}_{speaker}_{take}").fields_of(f"{label}_{speaker}_{take}")
    assert fields == {"label": label, "speaker": speaker, "take": take}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{label", "brace too much or too few"),
        ("label", "expected a field such as {label}"),
        ("{label}{take}", "expected something between {label} and {take}"),
        ("{label:d}", "names of letters, digits and _ in braces"),
        ("{my label}", "names of letters, digits and _ in braces"),
    ],
)
def test_what_is_no_pattern_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PathPattern(text)


def test_its_example_runs() -> None:
    assert doctest.testmod(module).failed == 0
