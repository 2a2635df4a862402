"""The board's addresses."""

from typing import Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from convscope.errors import UserError
from convscope.scores.board_table import n_seeds
from convscope.scores.pivot import DEFAULT_KEYS, pivot_grids
from convscope.scores.rows import BoardRow
from convscope.web.board.columns import columns_of, offered, usual_columns
from convscope.web.board.compare import agreement, both_done, differences, recalls
from convscope.web.board.parallel import parallel_axes
from convscope.web.board.question import Question, answered, kept, question_of
from convscope.web.board.scatter import scatter
from convscope.web.frame.news import news
from convscope.web.frame.pages import as_json, catalogue_of, page

router = APIRouter()


@router.get("/")
def board(request: Request) -> Response:
    """The table of runs, and accuracy against what it costs."""
    question, rows, common = _asked(request)
    found = answered(rows, question)
    values = {
        **common,
        "rows": found,
        "columns": columns_of(found, question),
        "usual": usual_columns(found, question),
        "offered": offered(rows),
        "scatter": scatter(found, question.pareto),
    }
    return page(
        request, "board/board.html", values, [_record(row, common["keys"]) for row in found]
    )


@router.get("/grid")
def grid(request: Request, keys: str = ",".join(DEFAULT_KEYS)) -> Response:
    """The reports' grid, coloured."""
    question, rows, common = _asked(request)
    down, comma, across = keys.partition(",")
    if not (down and comma and across) or "," in across or down == across:
        raise UserError(f"keys={keys}: expected two, of the rows and of the columns")
    grids = pivot_grids(kept(rows, question), (down, across))
    data = [
        {"title": each.title, "row": i, "column": j, **_record(row, common["keys"])}
        for each in grids
        for (i, j), row in each.places.items()
    ]
    values = {**common, "grids": grids, "down": down, "across": across, "n_seeds": n_seeds}
    return page(request, "board/grid.html", values, data)


@router.get("/parallel")
def parallel(request: Request) -> Response:
    """Parallel coordinates: the canvas draws what `/parallel.json` gives."""
    question, rows, common = _asked(request)
    n_done = sum(row.accuracy is not None for row in kept(rows, question))
    return page(request, "board/parallel.html", {**common, "n_done": n_done})


@router.get("/parallel.json")
def parallel_data(request: Request) -> Response:
    """The axes, and of every run its key and name."""
    question, rows, common = _asked(request)
    done = [row for row in answered(rows, question) if row.accuracy is not None]
    runs = [[common["keys"][row.folder], f"{row.run}: {row.accuracy:.4f}"] for row in done]
    return as_json({"axes": parallel_axes(done) if done else [], "runs": runs})


@router.get("/compare")
def compare(request: Request, run: list[str] = Query([])) -> Response:  # noqa: B008
    """Two runs beside each other."""
    if len(run) != 2:
        raise UserError(f"To compare, tick two runs of the board: {len(run)} came.")
    entries = [catalogue_of(request).entry(key) for key in run]
    runs = [entry.run for entry in entries]
    is_done = both_done(runs)
    found: dict[str, Any] = {
        "differences": differences(*runs),
        "recalls": recalls(*(each.scores for each in runs)) if is_done else [],
        "agreement": agreement(*runs) if is_done else None,
    }
    values = {"entries": entries, **found}
    return page(request, "board/compare.html", values, {"runs": run, **found})


@router.get("/news")
def board_news(request: Request) -> Response:
    """An event when any run changes, comes or goes."""
    catalogue = catalogue_of(request)

    def version() -> int:
        catalogue.entries()
        return catalogue.version

    return news(request, version)


def _asked(request: Request) -> tuple[Question, list[BoardRow], dict[str, Any]]:
    """The question, the rows that it is asked of, and what every view of the board shows."""
    catalogue = catalogue_of(request)
    question = question_of(request.query_params)
    entries = catalogue.entries()
    rows = [entry.row for entry in entries.values() if entry.row is not None]
    common = {
        "question": question,
        "view": request.url.path,
        "keys": {entry.run.folder: key for key, entry in entries.items()},
        "n_runs": len(entries),
        "problems": [entry for entry in entries.values() if entry.problem],
        "version": catalogue.version,
    }
    return question, rows, common


def _record(row: BoardRow, keys: dict[Any, str]) -> dict[str, Any]:
    """A row as `convscope board --json` has it, and its address."""
    return {**row.to_dict(), "page": f"/run/{keys[row.folder]}"}
