"""The study file: YAML in, settings out."""

import re
from pathlib import Path

from convscope.brain.settings import STUDY_NAME, StudySettings
from convscope.errors import UserError, in_one_line
from convscope.plain_yaml import NotYaml, load
from convscope.settings import validated


def read_settings(path: Path) -> StudySettings:
    """The keys of a study file.

    Raises:
        UserError: where it cannot be read, or a key or value is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such study file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path} cannot be read ({in_one_line(error)}): expected a study file in YAML"
        ) from None
    try:
        values = load(text)
    except NotYaml as error:
        raise UserError(f"{path}: {error}") from None
    if not isinstance(values, dict):
        raise UserError(
            f"{path}: expected a study file with the sections stimuli and responses, got "
            f"{type(values).__name__}"
        )
    responses = values.get("responses")
    if responses is None or (isinstance(responses, dict) and "kind" not in responses):
        raise UserError(
            f"{path.name}.responses.kind is missing: expected per_stimulus (a value for each "
            "stimulus) or bold (volumes)"
        )
    return validated(StudySettings, values, path.name)


def name_of(settings: StudySettings, path: Path) -> str:
    """The name of a study, which is that of a folder too: the file's, where it has no own.

    Raises:
        UserError: where the file's name would be none for a folder.
    """
    name = settings.name or path.stem
    if not re.fullmatch(STUDY_NAME, name):
        raise UserError(
            f"{path.name}: expected a name of letters, digits, dots, hyphens and underlines, which "
            f"its results are kept under, got {name!r}: set name in the study file"
        )
    return name
