"""YAML and key=value in, validated cells out. No data is opened here."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from convscope.errors import UserError
from convscope.names import find_path
from convscope.plain_yaml import NotYaml, load, load_argument
from convscope.settings import suggest
from convscope.training.cell import Cell, make_cell

SECTIONS = ("data", "model", "train", "grid", "sweep")

_AS_TYPED = "data.pattern={"
"""A pattern in braces is no YAML mapping."""


def read_recipe(path: Path | str, assignments: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """A recipe's sections, with `key=value` assignments laid over them."""
    recipe = _read_yaml(Path(path))
    for assignment in assignments:
        assign(recipe, assignment)
    return recipe


def read_cell(path: Path | str, assignments: Sequence[str] = ()) -> Cell:
    """The one cell of a recipe; a recipe that is a grid is refused.

    Raises:
        UserError: for whatever is wrong in the recipe or an assignment, naming the key.
    """
    for assignment in assignments:
        _refuse_grid_assignment(assignment)
    recipe = read_recipe(path, assignments)
    if recipe.get("grid"):
        raise UserError(
            f"{path} is a grid (it has the section grid) and train takes one cell: "
            "use convscope sweep, or a recipe without grid"
        )
    return make_cell(recipe)


def _read_yaml(path: Path) -> dict[str, dict[str, Any]]:
    try:
        recipe = load(find_path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such recipe; recipes/ has one for each experiment") from None
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror}): expected a recipe, a YAML file"
        ) from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is no text in UTF-8: expected a recipe, a YAML file") from None
    except NotYaml as error:
        raise UserError(f"{path} is not YAML: {error}") from None
    if not isinstance(recipe, dict):
        raise UserError(f"{path}: expected the sections {', '.join(SECTIONS)}, got {_came(recipe)}")
    for section, values in recipe.items():
        check_section(str(section))
        if not isinstance(values, dict):
            raise UserError(f"{path}: {section}: expected keys and values, got {_came(values)}")
    return recipe


def _came(value: Any) -> str:
    return "nothing" if value is None else f"{value!r:.40}"


def check_section(section: str) -> None:
    """A UserError for what is no section of a recipe."""
    if section not in SECTIONS:
        raise UserError(f"{section} is not a section of a recipe{suggest(section, SECTIONS)}")


def split_assignment(assignment: str) -> tuple[list[str], str]:
    """The parts of the key, and the text behind the =."""
    key, equals, value = assignment.partition("=")
    path = key.split(".")
    if not equals or len(path) < 2 or not all(path):
        raise UserError(
            f"{assignment}: expected section.key=value such as train.epochs=5, with one of the "
            f"sections {', '.join(SECTIONS)}"
        )
    check_section(path[0])
    return path, value


def assign(recipe: dict[str, dict[str, Any]], assignment: str) -> None:
    """Lay one `section.key=value` over a recipe."""
    path, text = split_assignment(assignment)
    put(recipe, path, parse_value(assignment, text))


def data_settings(assignments: Sequence[str]) -> dict[str, Any]:
    """The keys and values below `data` of assignments such as `data.seconds=2`."""
    recipe: dict[str, dict[str, Any]] = {}
    for assignment in assignments:
        path, _ = split_assignment(assignment)
        if path[0] != "data":
            raise UserError(f"{assignment} has no effect here: expected data.key=value")
        assign(recipe, assignment)
    return recipe.get("data", {})


def parse_value(assignment: str, text: str) -> Any:
    """The YAML value that stands behind the = of an assignment."""
    if assignment.startswith(_AS_TYPED):
        return text.strip()
    try:
        return load_argument(text)
    except NotYaml as error:
        problem = str(error).removeprefix("line 1: ")
        raise UserError(
            f"{assignment}: expected a YAML value after =, got {text!r} ({problem})"
        ) from None


def put(recipe: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Set one key of nested groups; groups on the way are copied, or made."""
    for part in path[:-1]:
        below = recipe.get(part)
        recipe[part] = dict(below) if isinstance(below, dict) else {}
        recipe = recipe[part]
    recipe[path[-1]] = value


def _refuse_grid_assignment(assignment: str) -> None:
    key, _, text = assignment.partition("=")
    split_assignment(assignment)
    if has_top_level_comma(text):
        raise UserError(
            f"{assignment} is a grid (a comma outside brackets) and train takes one cell: use "
            "convscope sweep, brackets for a list, or quotes for text with a comma, "
            f"{key}='\"{text}\"'"
        )


def has_top_level_comma(text: str) -> bool:
    """Whether a comma stands outside of brackets and quotes: the mark of a grid."""
    return len(split_at_commas(text)) > 1


def split_at_commas(text: str) -> list[str]:
    """The parts of a text between the commas outside of brackets and quotes."""
    parts, depth, quote = [""], 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        else:
            depth += (character in "[{(") - (character in ")}]")
        if character == "," and depth == 0 and not quote:
            parts.append("")
        else:
            parts[-1] += character
    return parts
