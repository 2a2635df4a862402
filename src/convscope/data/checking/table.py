"""The report on a data folder, for people."""

from collections.abc import Iterator

from rich import box
from rich.table import Table

from convscope.data.checking.check import Duplicates, FolderReport
from convscope.data.dataset import BadFile
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


def fold_table(report: FolderReport) -> Table:
    """Files by class and fold."""
    folds = report.folds or {}
    sums = [sum(column) for column in zip(*folds.values(), strict=True)]
    table = Table(box=box.SIMPLE, show_footer=True)
    table.add_column("class", "in all")
    for i, total in enumerate(sums, 1):
        table.add_column(f"fold {i}", f"{total:,}", justify="right")
    for label, counts in folds.items():
        table.add_row(label, *(f"{n:,}" for n in counts))
    return table


def group_line(report: FolderReport) -> str:
    """How many groups there are in each split; nothing where no group is named."""
    if report.groups is None:
        return ""
    counts = ", ".join(f"{n:,} in {split}" for split, n in report.groups.items())
    return f"groups by {report.group}: {counts}"


FINDINGS = (
    ("unreadable", "unreadable"),
    ("empty", "empty"),
    ("truncated", "truncated"),
    ("silent", "silent"),
    ("levels", "levels"),
    ("clipped", "clipped"),
    ("duplicates", "duplicate"),
    ("remark", "remark"),
)
"""Attributes of a report, and the word for one of each, in the order in which to mend them: what is
lost, what a net would learn wrongly from, what may be as it should be."""


def problem_lines(report: FolderReport) -> Iterator[str]:
    """In the order in which one would mend them: what is left out, what is broken, what is
    suspicious; then how many there are of the harmless kinds.
    """
    yield from (f"no clips    {label}: its folder gives none" for label in report.no_clips)
    yield from (f"passed over {each}" for each in report.passed_over)
    yield from (f"unmatched   {id}: data.pattern says nothing of it" for id in report.unmatched)
    yield from (f"group       {each}: in several splits" for each in report.crossing)
    for attribute, word in FINDINGS:
        findings = getattr(report, attribute)
        if attribute == "duplicates":
            findings = sorted(findings, key=_leak_first)
        for finding in findings:
            yield f"{word:<10}  {_said(finding)}"
    yield from (f"link        {each}, out of the data folder" for each in report.links_out)
    if report.off_rate:
        yield f"{len(report.off_rate)} files are not at {report.rate_hz} Hz: they are resampled"
    if report.odd_length:
        yield f"{len(report.odd_length)} files are not {report.seconds:g} s long: padded or cropped"


def _leak_first(group: Duplicates) -> tuple[bool, bool]:
    return not group.across_splits, not group.across_classes


def _said(finding: str | BadFile | Duplicates) -> str:
    if isinstance(finding, str):
        return finding
    if isinstance(finding, BadFile):
        return f"{finding.path}: {finding.reason}"
    across = {"classes": finding.across_classes, "splits": finding.across_splits}
    crossed = " and ".join(what for what, is_so in across.items() if is_so)
    return " = ".join(finding.files) + (f" (across {crossed})" if crossed else "")
