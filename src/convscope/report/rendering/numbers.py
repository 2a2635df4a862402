"""The numbers behind every table and figure of a report, as CSV files."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from convscope.report.document.blocks import Document, Picture, Table


def as_csv(document: Document) -> dict[str, bytes]:
    """A file for each table and for each figure that has numbers, by their names."""
    files = {
        f"{table.name}.csv": _csv(
            table.headings, ([cell.text for cell in row] for row in table.rows)
        )
        for table in document.blocks(Table)
    }
    pictures = (each for each in document.blocks(Picture) if each.numbers is not None)
    files |= {f"{each.name}.csv": _csv(each.numbers.fields, each.numbers.rows) for each in pictures}
    return files


def _csv(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(headings)
    writer.writerows(rows)
    return text.getvalue().encode()
