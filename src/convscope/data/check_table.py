"""The report on a data folder, for people."""

from collections.abc import Iterator

from rich import box
from rich.table import Table

from convscope.data.check import FolderReport
from convscope.types import SPLITS


def count_table(report: FolderReport) -> Table:
    """Usable files by class and split."""
    sums = [sum(counts[split] for counts in report.counts.values()) for split in SPLITS]
    table = Table(box=box.SIMPLE, show_footer=True)
    table.add_column("class", "in all")
    for name, total in zip((*SPLITS, "in all"), (*sums, sum(sums)), strict=True):
        table.add_column(name, f"{total:,}", justify="right")
    for label, counts in report.counts.items():
        row = [counts[split] for split in SPLITS]
        table.add_row(label, *(f"{n:,}" for n in (*row, sum(row))))
    return table


def problem_lines(report: FolderReport) -> Iterator[str]:
    """A line for each broken or suspicious file, then how many there are of the harmless kinds."""
    for bad in report.unreadable:
        yield f"unreadable  {bad.path}: {bad.reason}"
    for what, files in (
        ("empty", report.empty),
        ("silent", report.silent),
        ("clipped", report.clipped),
    ):
        for file in files:
            yield f"{what:<10}  {file}"
    for group in report.duplicates:
        across = [
            name
            for name, is_so in (("classes", group.across_classes), ("splits", group.across_splits))
            if is_so
        ]
        note = f" (across {' and '.join(across)})" if across else ""
        yield f"duplicate   {' = '.join(group.files)}{note}"
    if report.off_rate:
        yield f"{len(report.off_rate)} files are not at {report.rate_hz} Hz: they are resampled"
    if report.odd_length:
        yield f"{len(report.odd_length)} files are not {report.seconds:g} s long: padded or cropped"
