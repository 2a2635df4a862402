"""The page of a study: the answer first, then what it rests on; controls stand in every table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from convscope.brain.inputs.findings import Fact, Finding
from convscope.brain.results import tables
from convscope.brain.results.scores import EncodingScores
from convscope.brain.results.similarity import RsaScores
from convscope.brain.results.tables import Row
from convscope.report.html import data_uri, render, write_page
from convscope.scores.plain_table import PlainTable

CAPTIONS = {
    "heat_map": "r of each layer, of the best layer of each net, and of each control, by target.",
    "profile": "r by depth; bands are the range over seeds, lines what needs no net.",
    "scatter": "The net against the control; above the dashed line the net is better.",
    "rdms": "Dissimilarities of each two stimuli, as ranks, ordered by category.",
    "r_net": "r of the net, layer chosen within the training folds; slices in voxel indices.",
    "net_minus_control": "r of the net less r of the control.",
    "best_layer": "The layer chosen most often, where r is above 0.05.",
    "glass_brain": "r of the net through the head.",
    "surface": "r of the net on fsaverage5.",
}

MOST_TARGETS = 60

OTHER_NETS = ("untrained", "untrained_calibrated", "permuted")


@dataclass(frozen=True)
class StudyPage:
    """What a study's page shows.

    Attributes:
        title: its heading.
        sentences: the answer first.
        facts, findings: of the check.
        scores, rsa: of the analyses.
        pictures: PNG files by their names.
        settings: of the study, defaults filled in.
        hash: of the study.
    """

    title: str
    sentences: Sequence[str]
    facts: Sequence[Fact]
    findings: Sequence[Finding]
    scores: EncodingScores
    rsa: RsaScores | None
    pictures: Mapping[str, bytes]
    settings: Mapping[str, Any]
    hash: str


@dataclass(frozen=True)
class StudyBoard:
    """What the page of several nets on a study shows.

    Attributes:
        title: its heading.
        sentences: the answer first.
        table: a row a net.
        means: the same over seeds; None where no two nets differ in the seed alone.
        picture: a PNG file.
    """

    title: str
    sentences: Sequence[str]
    table: PlainTable
    means: PlainTable | None
    picture: bytes


def study_board(page: StudyBoard, out_file: Path) -> Path:
    """Make one file that holds all that it shows, and return its path."""
    values = {
        "title": page.title,
        "sentences": page.sentences,
        "tables": [each for each in (page.means, page.table) if each is not None],
        "picture": data_uri(page.picture, "image/png"),
    }
    return write_page(out_file, render("study_board.html", values))


def study_page(page: StudyPage, out_file: Path) -> Path:
    """Make one file that holds all that it shows, and return its path."""
    scores = page.scores
    spaces = tables.space_rows(scores)
    values = {
        "title": page.title,
        "sentences": page.sentences,
        "facts": page.facts,
        "findings": page.findings,
        "warnings": scores.warnings,
        "unit": scores.unit,
        "control": scores.control,
        "spaces": said(row for row in spaces if row["role"] not in OTHER_NETS),
        "other_nets": said(row for row in spaces if row["role"] in OTHER_NETS),
        "nets": said(tables.net_rows(scores)),
        "targets": said(tables.target_rows(scores)[:MOST_TARGETS]),
        "n_targets": len(scores.targets),
        "unique": tables.unique_rows(scores)[: 2 * MOST_TARGETS],
        "rsa": [] if page.rsa is None else tables.rsa_rows(page.rsa),
        "rsa_how": page.rsa,
        "pictures": [
            {
                "uri": data_uri(content, "image/png"),
                "caption": CAPTIONS.get(name, name),
            }
            for name, content in page.pictures.items()
        ],
        "settings": yaml.safe_dump(dict(page.settings), sort_keys=False, allow_unicode=True),
        "hash": page.hash,
    }
    return write_page(out_file, render("study.html", values))


def said(rows: Iterable[Row]) -> list[Row]:
    """Rows without the columns in which nothing stands."""
    kept = list(rows)
    empty = {key for key in (kept[0] if kept else ()) if all(row[key] is None for row in kept)}
    return [{key: value for key, value in row.items() if key not in empty} for row in kept]
