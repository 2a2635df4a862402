"""A run's layer table."""

from typing import Any

from convscope.run import Run


def layers_of_run(run: Run) -> dict[str, Any]:
    """The layers of a run's net as `convscope describe --json` has them.

    Raises:
        UserError: where the settings are of another version, or the net is code of somebody else.
    """
    from convscope.models.describe import describe
    from convscope.models.table import layers_as_json
    from convscope.training.cell import cell_of
    from convscope.training.trust import trusted

    cell = cell_of(run)
    rows = describe(trusted(run, cell.model, False), cell.data.shape, len(run.classes))
    return layers_as_json(rows, getattr(cell.data, "rate_hz", None))
