"""The part `clean`: clips to look at or listen to, and a list of those to leave out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from convscope.data.exclude import exclusion_line
from convscope.data.load import load_dataset
from convscope.inside.cleaning.broken import broken
from convscope.inside.cleaning.clean import (
    FOLDS,
    Probabilities,
    Suspect,
    softmax,
    suspects,
    unseen_probabilities,
)
from convscope.inside.cleaning.figures import Panel, contact_sheet
from convscope.inside.cleaning.refit import refit_probabilities
from convscope.inside.probing.features import PENULTIMATE, features
from convscope.inside.results.labelled_clips import SplitExamples, all_clips
from convscope.inside.results.parts import NotApplicable
from convscope.inside.results.writer import ResultWriter
from convscope.inside.subject.subject import Choice, Subject
from convscope.run import within
from convscope.training.cell import cell_of
from convscope.training.trust import trusted
from convscope.types import SPLITS

TRUSTED = 0.9
"""Predictions that agree with fewer of the labels are no judge of them: nothing is left out."""

Group = tuple[NDArray[np.int64], Probabilities]


@dataclass(frozen=True)
class Judged:
    """What is known of all clips.

    Attributes:
        subject: whose net judged them.
        clips: all of them.
        suspects: those to look at, the most suspect first.
        scores: (n_clips,) how likely each label is right.
        agreement: the share of labels that the predictions agree with.
        how: by which predictions, in words.
    """

    subject: Subject
    clips: SplitExamples
    suspects: list[Suspect]
    scores: NDArray[np.float64]
    agreement: float
    how: str

    def name(self, label: int) -> str:
        """Of a class."""
        return self.subject.class_name(int(label))


def look_clean(subject: Subject, choice: Choice, writer: ResultWriter) -> None:
    """`clean`: suspects as a table, a sheet and a page to see and hear; and `exclude.txt`.

    Judged by the net's own predictions where it has not seen the clip, which is the test split of
    a run, and else by cross-validated linear probes on what enters its logits.
    """
    clips = all_clips(subject, choice.seed)
    logits = {"logits": subject.layers["logits"]}
    found = features(subject, clips.examples, logits)
    unseen = clips.is_test if subject.run is not None else np.zeros(len(clips), np.bool_)
    groups: list[Group] = []
    if unseen.any():
        places = np.flatnonzero(unseen)
        groups.append((places, softmax(found["logits"].values[places])))
    if not unseen.all():
        places = np.flatnonzero(~unseen)
        labels, values = clips.examples.labels[places], found[PENULTIMATE].values[places]
        n_classes = max(found["logits"].values.shape[1], int(labels.max()) + 1)
        said = unseen_probabilities(values, labels, n_classes, seed=choice.seed)
        groups.append((places, said))
    how = f"{FOLDS}-fold linear probes on the net's last features, which have seen the labels"
    if unseen.any():
        how = f"the net itself (test clips) and {how}"
    _shelve(_judged(subject, clips, groups, how), choice, writer)


def look_clean_refit(subject: Subject, choice: Choice, writer: ResultWriter) -> None:
    """As `look_clean`, but the net is trained anew for each of five folds, in `clean_folds/`.

    Raises:
        NotApplicable: what is looked at is no run.
    """
    if subject.run is None:
        raise NotApplicable("a net can only be trained anew from a run and its own clips")
    cell = cell_of(subject.run)
    data = load_dataset(cell.data)
    clips = all_clips(subject, choice.seed)
    folds = within(writer.folder, "clean_folds")
    spec = trusted(subject.run, cell.model, choice.trust_code)
    said = refit_probabilities(spec, data, cell.train, FOLDS, folds, writer.tell)
    how = f"nets trained anew, each without one of {FOLDS} folds"
    _shelve(_judged(subject, clips, [(np.arange(len(clips)), said)], how), choice, writer)


def _judged(subject: Subject, clips: SplitExamples, groups: Sequence[Group], how: str) -> Judged:
    examples = clips.examples
    bad = broken(examples.clips, examples.ids, examples.labels)  # type: ignore[arg-type]  # a user's
    found, scores = suspects(examples.labels, groups, bad)
    n_agreed = sum(
        int((said.argmax(axis=1) == examples.labels[places]).sum()) for places, said in groups
    )
    return Judged(subject, clips, found, scores, n_agreed / len(clips), how)


def _shelve(judged: Judged, choice: Choice, writer: ResultWriter) -> None:
    examples = judged.clips.examples
    writer.arrays("clean", {"ids": examples.ids, "scores": judged.scores})
    writer.table(
        "clean", [_row(judged, rank, each) for rank, each in enumerate(judged.suspects, 1)]
    )
    writer.text("exclude.txt", exclusions(judged))
    shown = _first_of_each_kind(judged.suspects, choice.n)
    if shown:
        _show(judged, shown, writer)


def _first_of_each_kind(found: Sequence[Suspect], n: int) -> list[Suspect]:
    """The n most suspect of the broken, the mislabelled and the ambiguous."""
    seen: Counter[str] = Counter()
    shown = []
    for each in found:
        seen[each.kind] += 1
        if seen[each.kind] <= n:
            shown.append(each)
    return shown


def _row(judged: Judged, rank: int, each: Suspect) -> dict[str, object]:
    examples = judged.clips.examples
    return {
        "rank": rank,
        "id": str(examples.ids[each.index]),
        "split": SPLITS[judged.clips.splits[each.index]],
        "label": judged.name(examples.labels[each.index]),
        "suggested": judged.name(each.suggested),
        "score": round(each.score, 6),
        "kind": each.kind,
        "reason": each.reason,
    }


def exclusions(judged: Judged) -> str:
    """A list for `data.exclude`: the broken and mislabelled; the ambiguous as comments.

    The mislabelled as comments as well, where the predictions are wrong too often to judge them.
    """
    left_out = {"broken", "mislabelled"} if judged.agreement >= TRUSTED else {"broken"}
    lines = [
        f"# Suspects of {judged.subject.name}, by {judged.how}.",
        f"# These predictions agree with {judged.agreement:.1%} of the labels; below {TRUSTED:.0%} "
        "the mislabelled stand here as comments.",
        "# Listen and look, and delete the lines of the clips that are to stay.",
    ]
    for each in judged.suspects:
        row = _row(judged, 0, each)
        start = "" if each.kind in left_out else "# "
        likely = f", rather {row['suggested']}" if each.kind == "mislabelled" else ""
        lines.append(f"# {each.kind}{likely}: {each.reason}")
        lines.append(f"{start}{exclusion_line(str(row['id']))}")
    return "\n".join(lines) + "\n"


def _show(judged: Judged, shown: Sequence[Suspect], writer: ResultWriter) -> None:
    """The sheet, the sounds, and a page that has both."""
    places = np.array([each.index for each in shown])
    stored = judged.clips.examples.clips[places]
    clips = judged.subject.scaled(stored).cpu().numpy()
    rate_hz = judged.subject.rate_hz if clips.ndim == 3 else None
    ranks = {each.index: rank for rank, each in enumerate(judged.suspects, 1)}
    rows = [_row(judged, ranks[each.index], each) for each in shown]
    panels = [Panel(clip, _title(row)) for clip, row in zip(clips, rows, strict=True)]
    title = f"{judged.subject.name}: the most suspect of each kind, of {len(judged.scores)} clips"
    writer.figure("clean", contact_sheet(panels, rate_hz, title))
    sounds = []
    if rate_hz is not None:
        sounds = [f"clean_{row['rank']}" for row in rows]
        for name, clip in zip(sounds, clips, strict=True):
            writer.sound(name, clip[0], rate_hz)
    how = f"{judged.how}; they agree with {judged.agreement:.1%} of the labels"
    writer.text("clean.html", _page(title, how, rows, sounds))


def _title(row: dict[str, object]) -> str:
    said = row["reason"] if row["kind"] == "broken" else f"rather {row['suggested']}"
    if row["kind"] == "ambiguous":
        said = "ambiguous"
    said = str(said) if len(str(said)) < 26 else f"{str(said)[:24]}…"
    return f"{row['rank']}: {row['label']}, {said}\nscore {row['score']:.2g}"


def _page(title: str, how: str, rows: Sequence[dict[str, object]], sounds: Sequence[str]) -> str:
    """A page that lies beside the sheet and the sounds."""
    keys = list(rows[0])
    head = "".join(f"<th>{key}</th>" for key in keys) + ("<th>sound</th>" if sounds else "")
    lines = []
    for k, row in enumerate(rows):
        cells = "".join(f"<td>{escape(str(row[key]))}</td>" for key in keys)
        if sounds:
            cells += f'<td><audio controls preload="none" src="{sounds[k]}.wav"></audio></td>'
        lines.append(f"<tr>{cells}</tr>")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        "<style>body{font-family:sans-serif}td,th{padding:2px 8px;text-align:left}</style>"
        f"<h1>{escape(title)}</h1><p>Judged by {escape(how)}.</p>"
        f'<img src="clean.png" alt="contact sheet"><table><tr>{head}</tr>{"".join(lines)}</table>\n'
    )
