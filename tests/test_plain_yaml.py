"""What people write in YAML is read as they mean it, or refused; nothing of it is passed over."""

from typing import Any

import pytest

from convscope.plain_yaml import NotYaml, load, load_argument

NUMBERS: list[tuple[str, Any]] = [
    ("8", 8),
    ("-3", -3),
    ("+5", 5),
    ("0", 0),
    ("1e-3", 1e-3),
    ("2E5", 2e5),
    ("1.", 1.0),
]
NUMBERS += [("0.50", 0.5), (".5", 0.5), ("-1.5e+2", -150.0), ("true", True), ("null", None)]

TEXTS = ["yes", "no", "on", "off", "Yes", "y", "2024-01-31", "=", "1.2.3", "e5", "NaN"]
TEXTS += ["010", "0123", "-07", "00.5", "1:30", "1:30.5", "1_000", "1_0.5", "0x10", "0o17", "0b11"]

PLAIN_ARGUMENTS = [
    "set #2",
    "#2",
    "a: b",
    "- a",
    "&a b",
    "*a",
    "!x y",
    "!!int 010",
    "a #",
    "?",
    "|",
]
PLAIN_ARGUMENTS += ["---", "%a", "@x", "`x`", "a\tb", "it's", "C:\\new", "<<", "x [y]", "..."]


@pytest.mark.parametrize(("text", "value"), NUMBERS)
@pytest.mark.parametrize("read", [load, load_argument])
def test_a_decimal_number_is_a_number(read: Any, text: str, value: Any) -> None:
    came = read(text)
    assert (came, type(came)) == (value, type(value))


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("read", [load, load_argument])
def test_what_yaml_1_1_takes_for_something_else_is_text_as_typed(read: Any, text: str) -> None:
    assert read(text) == text
    assert read(f"[{text}, a]") == [text, "a"]


@pytest.mark.parametrize("text", PLAIN_ARGUMENTS)
def test_an_argument_without_brackets_or_quotes_is_text_as_typed(text: str) -> None:
    assert load_argument(text) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[a, 'b #c', \"d\"]", ["a", "b #c", "d"]),
        ("{a: {b: [1, 2]}, c: }", {"a": {"b": [1, 2]}, "c": None}),
        ("'set #2' ", "set #2"),
        ('"010"', "010"),
        ("[]", []),
        ("", None),
    ],
)
def test_brackets_braces_and_quotes_are_yaml(text: str, value: Any) -> None:
    assert load_argument(text) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a, b] # all", "it holds a comment, '# all': put quotes around the text"),
        ("'set' #2", "it holds a comment, '#2'"),
        ("[a, #b\n c]", "it holds a comment, '#b'"),
        ("[&x a, b]", "it holds an anchor"),
        ("[&x a, *x]", "it holds an anchor"),
        ("[!!str 1, b]", "it holds a tag"),
        ("[a #b, c]", "line 1: expected ',' or ']'"),
        ("'a' b", "line 1: "),
        ("[a]\n--- \n[b]", "line 2: but found another document"),
        ("[" * 5000, "recursion"),
        ("1" * 5000, "digits"),
    ],
)
def test_what_yaml_would_pass_over_in_an_argument_is_refused(text: str, message: str) -> None:
    with pytest.raises(NotYaml, match=message):
        load_argument(text)


def test_a_number_with_a_tag_is_decimal_too() -> None:
    assert load("!!int 010") == 10
    with pytest.raises(NotYaml, match="'0x10'"):
        load("!!int 0x10")
