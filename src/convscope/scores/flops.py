"""FLOPs of the networks on a board, from their descriptions."""

import json
from collections.abc import Iterable
from dataclasses import replace

from convscope.data.config import DATA_KINDS
from convscope.errors import UserError
from convscope.models.describe import describe
from convscope.models.rows import flops
from convscope.models.spec import UserNet, make_spec
from convscope.scores.rows import BoardRow
from convscope.settings import validated


def with_flops(rows: Iterable[BoardRow]) -> list[BoardRow]:
    """The rows with the FLOPs of a forward pass of one clip; each architecture is counted once.

    None stays where they cannot be told without running something: of a network of the user's own,
    or of a run that does not say its classes.
    """
    known: dict[str, int | None] = {}
    return [replace(row, flops=_flops(row, known)) for row in rows]


def _flops(row: BoardRow, known: dict[str, int | None]) -> int | None:
    data = {key: value for key, value in row.config.get("data", {}).items() if key != "folder"}
    model = row.config.get("model", {})
    key = json.dumps([data, model, row.n_classes], sort_keys=True, default=str)
    if key not in known:
        try:
            spec = make_spec(model)
            kind = DATA_KINDS.get(data.get("kind", ""))
            if kind is None or row.n_classes is None or isinstance(spec, UserNet):
                known[key] = None
            else:
                shape = validated(kind, data, "data").shape
                known[key] = flops(describe(spec, shape, row.n_classes))
        except UserError:  # settings of another version
            known[key] = None
    return known[key]
