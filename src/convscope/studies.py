"""Nets held against brains: a study and runs in, results with a page in RUN/brain/STUDY out."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from convscope.brain.analyses.check_files import check_files
from convscope.brain.analyses.encode import encode_study
from convscope.brain.analyses.glm import GlmResult, glm_of
from convscope.brain.analyses.glm_files import (
    contrast_files,
    contrast_row,
    design_figure,
)
from convscope.brain.analyses.rsa import rsa_study
from convscope.brain.analyses.running import Encoding, Tell
from convscope.brain.analyses.writing import as_csv, rdms_figure, write_pictures, write_tables
from convscope.brain.features.net import Net, net_of_module, net_of_run
from convscope.brain.inputs.checks import check, facts
from convscope.brain.inputs.findings import Fact, Finding
from convscope.brain.inputs.study import Study, load_study
from convscope.brain.results import figures, sentences, tables
from convscope.brain.results.figures import SweepPoint
from convscope.brain.results.scores import EncodingScores
from convscope.brain.results.similarity import RsaScores
from convscope.brain.results.study_folder import StudyFolder
from convscope.brain.results.sweep_sentences import sweep_sentences
from convscope.data.disk import writing_to
from convscope.errors import UserError
from convscope.figures import to_png
from convscope.inside.subject.module_subject import OwnModule
from convscope.report.study_page import StudyBoard, StudyPage, study_board, study_page
from convscope.run import Run, write_atomically
from convscope.scores.brain import BrainRow, brain_rows, over_seeds
from convscope.scores.brain_view import brain_view
from convscope.scores.network import network
from convscope.scores.rows import read_row

RESULTS = 2
"""Raise it when the same study and net would give other results."""

PAGE = "index.html"


@dataclass(frozen=True)
class Swept:
    """What became of several nets on a study.

    Attributes:
        rows: of the board, the highest brain score first.
        means: the same over seeds.
        sentences: the answer first.
        page: their file.
    """

    rows: tuple[BrainRow, ...]
    means: tuple[BrainRow, ...]
    sentences: tuple[str, ...]
    page: Path


@dataclass(frozen=True)
class Held:
    """What became of a net on a study.

    Attributes:
        folder: where it is kept.
        scores: of the encoding models.
        rsa: None of volumes.
        sentences: what the figures bear, the answer first.
    """

    folder: Path
    scores: EncodingScores
    rsa: RsaScores | None
    sentences: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {
            "folder": str(self.folder),
            "study": self.scores.study,
            "net": self.scores.net or None,
            "answer": self.sentences[0],
            "sentences": list(self.sentences),
            "nets": tables.net_rows(self.scores),
            "spaces": tables.space_rows(self.scores),
            "targets": tables.target_rows(self.scores) if len(self.scores.targets) < 500 else None,
            "rsa": None if self.rsa is None else tables.rsa_rows(self.rsa),
            "warnings": list(self.scores.warnings),
        }


def net_named(net: Path | OwnModule, trust_code: bool = False) -> Net:
    """The net of a run's folder, or of a user's own module."""
    if isinstance(net, OwnModule):
        return net_of_module(net)
    return net_of_run(Run.existing(net), trust_code)


def place_of(study: Study, net: Path | OwnModule | None, out: Path | None) -> Path:
    """Where results are kept: RUN/brain/STUDY, else where the user says.

    Raises:
        UserError: where there is no run to keep them in, and no place was named.
    """
    if out is not None:
        return out
    if isinstance(net, Path):
        return net / "brain" / study.name
    raise UserError("--out DIR is missing: there is no run whose folder could keep the results")


def encode(
    study: Study,
    net: Path | OwnModule | None,
    out: Path | None,
    tell: Tell,
    trust_code: bool = False,
) -> Held:
    """Encoding models, and RSA where there is a pattern for each stimulus, with all controls.

    Args:
        study: as loaded.
        net: a run's folder, or a user's own module; None: the controls alone.
        out: where results are kept; None: in the run.
        tell: is told how far it is.
        trust_code: whether code that lies in the run may be run.

    Raises:
        UserError: for whatever does not fit, before anything is written.
    """
    made = None if net is None else net_named(net, trust_code)
    folder = _folder(study, made, place_of(study, net, out))
    running = Encoding(study, made, folder, tell)  # refuses folds that do not fit
    with folder.opened():
        scores = encode_study(study, made, folder, tell)
        rsa = None if study.is_bold else rsa_study(running)
        held = Held(folder.folder, scores, rsa, said(scores, rsa))
        pictures = write_pictures(running, scores, rsa)
        write_tables(study, folder, scores, rsa, held.sentences)
        page = StudyPage(
            title=f"{scores.net or 'controls'} on {study.name}",
            sentences=held.sentences,
            facts=facts(study),
            findings=check(study),
            scores=scores,
            rsa=rsa,
            pictures=pictures,
            settings=study.settings.model_dump(mode="json"),
            hash=study.hash,
        )
        study_page(page, folder.folder / PAGE)
        folder.finish()
    return held


def sweep(
    study: Study, runs: Sequence[Run], out: Path, tell: Tell, trust_code: bool = False
) -> Swept:
    """Hold each run against a study, then all of them side by side: size, accuracy, brain score.

    A run that was held against this version of the study before is not computed again.

    Args:
        study: as loaded.
        runs: finished ones, at least one.
        out: the folder of the page of all.
        tell: is told how far it is.
        trust_code: whether code that lies in the runs may be run.
    """
    for i, run in enumerate(runs):
        net = net_named(run.folder, trust_code)
        if not _folder(study, net, place_of(study, run.folder, None)).is_done:
            named = partial(_tell_of, tell, f"{i + 1} of {len(runs)}")
            encode(study, run.folder, None, named, trust_code)
    rows = brain_rows([read_row(run) for run in runs], study.name)
    means = over_seeds(rows)
    answers = sweep_sentences(rows, means)
    view = brain_view(rows)
    picture = to_png(figures.sweep_figure([_point(each) for each in means], study.name))
    page = StudyBoard(
        title=f"{len(rows)} nets on {study.name}",
        sentences=answers,
        table=view.tables[0],
        means=brain_view(means).tables[0] if len(means) < len(rows) else None,
        picture=picture,
    )
    _write_all(out, [("sweep.png", picture), ("sweep.csv", as_csv(list(view.records)))])
    return Swept(tuple(rows), tuple(means), answers, study_board(page, out / PAGE))


def similarity(
    study: Study,
    net: Path | OwnModule | None,
    out: Path | None,
    tell: Tell,
    trust_code: bool = False,
) -> tuple[Path, RsaScores]:
    """Representational similarity alone, kept in the same place; arguments as `encode`."""
    made = None if net is None else net_named(net, trust_code)
    folder = _folder(study, made, place_of(study, net, out))
    was_done = folder.is_done
    with folder.opened():
        running = Encoding(study, made, folder, tell)
        rsa = rsa_study(running)
        folder.write("rsa.csv", as_csv(tables.rsa_rows(rsa)))
        folder.write("rdms.png", to_png(rdms_figure(running, rsa)))
        if was_done:
            folder.finish()
    return folder.folder, rsa


def said(scores: EncodingScores, rsa: RsaScores | None) -> tuple[str, ...]:
    """All sentences of a study, the answer first."""
    found = [
        sentences.answer(scores),
        sentences.by_target(scores),
        sentences.learned(scores) if scores.nets else "",
        *(sentences.adds(part, scores.targets) for part in scores.unique),
        sentences.choice_cost(scores),
        "" if rsa is None else sentences.rsa_words(rsa),
        sentences.ceiling_words(scores),
    ]
    return tuple(each for each in found if each)


def glm(study: Study, contrasts: Sequence[str], out: Path) -> tuple[GlmResult, ...]:
    """Fit the GLM of a study; maps, clusters and pictures go to a folder.

    Raises:
        UserError: for whatever does not fit, before anything is written.
    """
    results = glm_of(study, contrasts)
    _write_all(out, (file for each in results for file in contrast_files(study, each)))
    last = [
        ("design.png", to_png(design_figure(study))),
        ("contrasts.csv", as_csv([contrast_row(each) for each in results])),
    ]
    _write_all(out, last)
    return results


def examine(
    path: Path, out: Path | None, progress: Callable[[int, int], None]
) -> tuple[Study, tuple[Fact, ...], tuple[Finding, ...]]:
    """What there is of a study and what is to be said of it; with `out`, pictures too."""
    study = load_study(path, progress)
    found = facts(study), check(study)
    if out is not None:
        _write_all(out, check_files(study))
    return study, *found


def _folder(study: Study, net: Net | None, place: Path) -> StudyFolder:
    key = {"study": study.hash, "net": None if net is None else net.key, "results": RESULTS}
    return StudyFolder(place, key)


def _tell_of(tell: Tell, prefix: str, what: str, done: int, n: int) -> None:
    tell(f"{prefix}, {what}", done, n)


def _point(each: BrainRow) -> SweepPoint:
    return SweepPoint(
        network(each.row),
        each.row.params or 1,
        each.row.accuracy or float("nan"),
        each.brain.score,
        each.interval,
        each.brain.untrained,
        each.pareto,
    )


def _write_all(out: Path, files: Iterable[tuple[str, bytes]]) -> None:
    with writing_to(out, "name another place with --out"):
        for name, content in files:
            _write(out, name, content)


def _write(out: Path, name: str, content: bytes) -> None:
    write_atomically(out / name, lambda file: file.write(content))
