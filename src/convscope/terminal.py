"""Text on a terminal: what comes from a disk or a recipe is shown, and never obeyed."""

from typing import Any

from rich.console import Console
from rich.progress import ProgressColumn, Task
from rich.text import Text

from convscope.names import visible, visible_lines


class PlainConsole(Console):
    """A console for which `[laughter]` and `:dog:` in a text are no markup, and ESC is `\\x1b`.

    Styles are given as `rich.text.Text`, and only to words of ours.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, markup=False, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """As Rich's, through which all text of a table goes; control characters are escaped."""
        return super().render_str(visible_lines(text), **options)


class WhatIsDone(ProgressColumn):
    """The column of a bar that says what is being done."""

    def render(self, task: Task) -> Text:
        return Text(visible(task.description))
