"""Dead, pinned and duplicate units over a sweep: by depth, activation and initializer."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass

from convscope.inside.results.progress import Tell, silent
from convscope.inside.results.writer import ResultWriter
from convscope.inside.subject.stages import inputs_of, stages_of, with_some_clips
from convscope.inside.subject.subject import Subject
from convscope.inside.units.dead import DeadUnits, Limits, dead_units
from convscope.inside.units.figures_runs import dead_runs_figure
from convscope.run import Run

MOST_CLIPS = 256


@dataclass(frozen=True)
class RunLayer:
    """One layer of one run: the shares of its units that are of no use.

    Attributes:
        run: its name.
        family, conv_layers, base_channels, activation, initializer, batch_norm, dropout: of its
            spec; None of a network of the user's own.
        layer: its name, such as conv3.
        depth: its place among the layers, from 1.
        n_units: of the layer.
        dead, pinned, duplicate: shares of the units, 0 to 1.
    """

    run: str
    family: str
    conv_layers: int | None
    base_channels: int | None
    activation: str | None
    initializer: str | None
    batch_norm: bool | None
    dropout: float | None
    layer: str
    depth: int
    n_units: int
    dead: float
    pinned: float
    duplicate: float


def dead_over_runs(
    runs: Sequence[Run],
    subject_of: Callable[[Run], Subject],
    limits: Limits | None = None,
    progress: Tell = silent,
) -> list[RunLayer]:
    """A row for each layer of each run; the logits are left out.

    Args:
        runs: finished ones.
        subject_of: a run's net and clips; one run at a time is in memory. At most 256 of its clips
            are shown, of each class alike.
        limits: from where on a unit counts as pinned or as a duplicate.
        progress: called with the number of runs done and of all.

    Raises:
        UserError: as `subject_of` does; where a run has no clips.
    """
    rows: list[RunLayer] = []
    for done, run in enumerate(runs):
        progress(done, len(runs))
        rows += _run_rows(run, subject_of(run), limits)
    progress(len(runs), len(runs))
    return rows


def put_dead_over_runs(rows: Sequence[RunLayer], writer: ResultWriter) -> None:
    """The table and picture of `dead_over_runs`."""
    writer.table("dead_runs", [asdict(row) for row in rows])
    writer.figure("dead_runs", dead_runs_figure([asdict(row) for row in rows]))


def _run_rows(run: Run, subject: Subject, limits: Limits | None) -> Iterable[RunLayer]:
    subject = with_some_clips(subject, MOST_CLIPS, seed=0)
    stages = stages_of(subject.layers)
    del stages["logits"]
    found = dead_units(subject.net, inputs_of(subject, stages), stages, limits)
    return [_row(run, each, depth) for depth, each in enumerate(found.values(), 1)]


def _row(run: Run, found: DeadUnits, depth: int) -> RunLayer:
    spec = run.config["model"]
    return RunLayer(
        run=run.name,
        family=spec["family"],
        conv_layers=spec.get("conv_layers"),
        base_channels=spec.get("base_channels"),
        activation=spec.get("activation"),
        initializer=spec.get("initializer"),
        batch_norm=spec.get("batch_norm"),
        dropout=spec.get("dropout"),
        layer=found.layer,
        depth=depth,
        n_units=found.n_units,
        dead=float(found.dead.mean()),
        pinned=float(found.pinned.mean()),
        duplicate=float(found.duplicate.mean()),
    )
