"""A study, opened: what the commands of `convscope brain` do, from Python."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from convscope.api.html import table_html
from convscope.api.opened import OpenRun
from convscope.brain.analyses.glm import GlmResult
from convscope.brain.inputs.checks import check, facts
from convscope.brain.inputs.findings import Finding
from convscope.brain.inputs.study import Study, load_study
from convscope.brain.results import tables
from convscope.errors import UserError
from convscope.progress.bar import naming_bar, progress_bar
from convscope.run import Run
from convscope.scores.rows import find_runs
from convscope.studies import Held, Swept, encode, glm, sweep


class HeldNet:
    """What became of a net on a study; a notebook shows the answer and the table of nets.

    Attributes:
        sentences: what the figures bear, the answer first.
        page: the file that shows everything.
    """

    def __init__(self, held: Held) -> None:
        self._held = held
        self.sentences = held.sentences
        self.page = held.folder / "index.html"

    @property
    def spaces(self) -> list[dict[str, Any]]:
        """A row for each layer and each control: r, R², their interval, and more."""
        return tables.space_rows(self._held.scores)

    @property
    def nets(self) -> list[dict[str, Any]]:
        """A row for the trained net and for each control of its architecture."""
        return tables.net_rows(self._held.scores)

    @property
    def targets(self) -> list[dict[str, Any]]:
        """A row for each target: the net, the control, the untrained nets, the ceiling."""
        return tables.target_rows(self._held.scores)

    @property
    def rsa(self) -> list[dict[str, Any]]:
        """A row for each layer and each control; none of volumes."""
        return [] if self._held.rsa is None else tables.rsa_rows(self._held.rsa)

    def __repr__(self) -> str:
        return self.sentences[0]

    def _repr_html_(self) -> str:
        rows = self.nets
        cells = [[_cell(value) for value in row.values()] for row in rows]
        return table_html(list(rows[0]) if rows else [], cells, self.sentences[0])


class OpenStudy:
    """A study file and all that it names, read."""

    def __init__(self, study: Study) -> None:
        self._study = study

    @property
    def name(self) -> str:
        return self._study.name

    @property
    def facts(self) -> dict[str, str]:
        """What there is: counts, shapes, durations."""
        return {each.name: each.value for each in facts(self._study)}

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What would mislead, and what to do about it."""
        return check(self._study)

    def encode(
        self,
        run: OpenRun | Path | str | None = None,
        *,
        out: Path | str | None = None,
        trust_code: bool = False,
    ) -> HeldNet:
        """Hold a run's net and all controls against the responses; kept in the run.

        Args:
            run: opened, or its folder; None: the controls alone, kept in `out`.
            out: where results are kept; None: in the run.
            trust_code: whether code that lies in the run may be run.

        Raises:
            UserError: for whatever does not fit.
        """
        folder = run.folder if isinstance(run, OpenRun) else None if run is None else Path(run)
        with naming_bar() as tell:
            place = None if out is None else Path(out)
            return HeldNet(encode(self._study, folder, place, tell, trust_code))

    def sweep(self, runs: Sequence[OpenRun | Path | str], out: Path | str = "brain") -> Swept:
        """Hold several runs against the responses, side by side; their page lies in `out`.

        Raises:
            UserError: where none of the runs is done, or something does not fit.
        """
        folders = [each.folder if isinstance(each, OpenRun) else Path(each) for each in runs]
        done: list[Run] = [run for run in find_runs(folders) if run.is_done]
        if not done:
            raise UserError("sweep: expected at least one finished run, got none: train one first")
        with naming_bar() as tell:
            return sweep(self._study, done, Path(out), tell)

    def glm(self, *contrasts: str, out: Path | str = "glm") -> tuple[GlmResult, ...]:
        """Fit the general linear model; maps lie in `out`.

        Raises:
            UserError: for responses to stimuli, or a contrast of no column.
        """
        return glm(self._study, contrasts, Path(out))

    def __repr__(self) -> str:
        _, *rest = self.facts.items()
        return f"<study {self.name}: {', '.join(f'{name} {value}' for name, value in rest)}>"


def open_study(path: Path | str) -> OpenStudy:
    """Read a study file and all that it names.

    Raises:
        UserError: where something is missing, cannot be read, or does not fit together.
    """
    with progress_bar("stimuli") as bar:
        return OpenStudy(load_study(Path(path), bar))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else str(value)
