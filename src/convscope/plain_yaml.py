"""YAML as people mean it: what they write in recipes, servers files and on the command line."""

import re
from typing import Any

import yaml


class NotYaml(ValueError):
    """A text that cannot be read; its message says why, and in which line."""


class Loader(yaml.SafeLoader):
    """YAML in which a plain word means one thing.

    Only decimal numbers such as 8, -0.5 and 1e-3 are numbers, and true and false alone are truth
    values. All that YAML 1.1 reads as something else is text as it stands there: yes and no, dates,
    010 (an octal 8), 1:30 (90, in base 60), 0x10, 1_000. A key that stands twice in one place is
    refused.
    """

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                problem = f"the key {key.value} stands there twice: keep one of them"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            seen.add(key.value)
        return node


_KEPT = ("tag:yaml.org,2002:null", "tag:yaml.org,2002:merge")

Loader.yaml_implicit_resolvers = {
    first: kept
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    if (kept := [(tag, pattern) for tag, pattern in resolvers if tag in _KEPT])
}
_WHOLE = r"[-+]?(?:0|[1-9][0-9]*)"
for _tag, _pattern, _firsts in (
    ("bool", "true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", _WHOLE, "-+0123456789"),
    (
        "float",
        rf"(?:{_WHOLE}(?:\.[0-9]*)?|[-+]?\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan",
        "-+.0123456789",
    ),
):
    Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_firsts)
    )


def _whole_number(loader: Loader, node: yaml.ScalarNode) -> int:
    """One that is tagged !!int may still be written 010, which is 10, or 0x10, which is refused."""
    return int(loader.construct_scalar(node))


Loader.add_constructor("tag:yaml.org,2002:int", _whole_number)


def _text(loader: Loader, node: yaml.ScalarNode) -> Any:
    return loader.construct_scalar(node)


Loader.add_constructor("tag:yaml.org,2002:merge", _text)  # << where it merges nothing

_FLOW = ("[", "{", '"', "'")
_REFUSED = {
    yaml.AnchorToken: "an anchor",
    yaml.AliasToken: "an alias",
    yaml.TagToken: "a tag",
}


def load(text: str) -> Any:
    """The value of a YAML document; None of an empty one.

    Raises:
        NotYaml: saying what is wrong.
    """
    try:
        return yaml.load(text, Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise NotYaml(_problem(error)) from None


def load_argument(text: str) -> Any:
    """The value of an argument of the command line, nothing of which is passed over.

    What begins with a bracket, a brace or a quote is YAML, but without comments, anchors and tags;
    anything else is one plain word or number: `set #2` is the text as it was typed.

    Raises:
        NotYaml: saying what is wrong.
    """
    text = text.strip()
    if not text.startswith(_FLOW):
        return _plain(text)
    value = load(text)
    _refuse_what_is_dropped(text)
    return value


def _plain(text: str) -> Any:
    loader: Any = Loader("")
    tag = loader.resolve(yaml.ScalarNode, text, (True, False))
    try:
        return loader.construct_document(yaml.ScalarNode(tag, text))
    except ValueError as error:  # an integer of thousands of digits
        raise NotYaml(_problem(error)) from None


def _refuse_what_is_dropped(text: str) -> None:
    """Every character must be of a token or a blank: what stands between them is a comment."""
    end = 0
    for token in yaml.scan(text, Loader):
        refused = _REFUSED.get(type(token))
        between = text[end : token.start_mark.index].strip()
        if refused or between:
            what = refused or f"a comment, {between!r:.40}"
            raise NotYaml(f"it holds {what}: put quotes around the text")
        end = max(end, token.end_mark.index)


def _problem(error: Exception) -> str:
    """What is wrong with YAML, and in which line."""
    mark = getattr(error, "problem_mark", None)
    problem = " ".join(str(getattr(error, "problem", None) or error).split())
    return f"line {mark.line + 1}: {problem}" if mark else problem
