"""A lab's own words: what they may be, and what is refused in which words."""

from pathlib import Path

import pytest

from convscope.errors import UserError
from convscope.report.document.catalogue import catalogue


def template(folder: Path, text: str) -> Path:
    folder.mkdir()
    (folder / "strings.yaml").write_text(text)
    return folder


def test_own_words_replace_ours_and_the_rest_stays(tmp_path: Path) -> None:
    say = catalogue(template(tmp_path / "lab", 'section: {data: "Die Daten"}\n'))
    assert say.say("section.data") == "Die Daten"
    assert say.say("section.net") == catalogue().say("section.net")


def test_values_are_never_templates(tmp_path: Path) -> None:
    assert "{n}" in catalogue().say("caption.data", data="{n} {data.__class__}")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            'section: {dta: "x"}',
            "section.dta is no string of a report .did you mean 'section.data'",
        ),
        ('caption: {data: "{name}"}', "caption.data: {name} is unknown there; known: {data}"),
        ('caption: {data: "{data.__class__}"}', r"{data.__class__} is unknown there"),
        ('caption: {data: "{"}', "write {{ for a brace"),
        ("section: {data: 3}", "section.data: expected a string, got 3: quote it"),
        ("- a", "expected names and strings"),
    ],
)
def test_what_is_wrong_in_a_template_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UserError) as error:
        catalogue(template(tmp_path / "lab", text))
    assert words.replace(".did", "(did") in str(error.value)
    assert "\n" not in str(error.value)


def test_an_unknown_file_of_a_template_is_refused(tmp_path: Path) -> None:
    (tmp_path / "string.yaml").write_text("")
    with pytest.raises(UserError, match="is no part of a template"):
        catalogue(tmp_path)
    with pytest.raises(UserError, match="is no folder"):
        catalogue(tmp_path / "nothing")
