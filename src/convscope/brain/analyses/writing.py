"""Files of an encoding analysis: tables, pictures, maps, and what the board reads."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from convscope.brain.analyses.rsa import brain_rdms
from convscope.brain.analyses.running import Encoding
from convscope.brain.inputs.study import Study
from convscope.brain.results import figures, maps, tables
from convscope.brain.results.scores import EncodingScores
from convscope.brain.results.similarity import RsaScores
from convscope.brain.results.study_folder import StudyFolder
from convscope.brain.rsa.rdm import rdm, square
from convscope.figures import to_png
from convscope.scores.brain import SUMMARY

CONTROL_ROLES = ("acoustic", "pixels", "categories")


def write_pictures(
    running: Encoding, scores: EncodingScores, rsa: RsaScores | None
) -> dict[str, bytes]:
    """Pictures by their names, as PNG; they lie in the folder too."""
    study = running.study
    made = {"heat_map": figures.heat_map(scores)}
    if scores.nets:
        made |= {"profile": figures.profile(scores), "scatter": figures.scatter(scores)}
    if rsa is not None:
        made["rdms"] = rdms_figure(running, rsa)
    if study.space is not None and scores.trained is not None:
        made |= _brain_pictures(study, running, scores)
    pictures = {name: to_png(figure) for name, figure in made.items()}
    for name, content in pictures.items():
        running.folder.write(f"{name}.png", content)
    return pictures


def _brain_pictures(study: Study, running: Encoding, scores: EncodingScores) -> dict[str, Figure]:
    assert study.space is not None
    assert scores.trained is not None
    r = scores.trained.r.mean(axis=0)
    gap = r - scores.space(scores.control).r.mean(axis=0)
    shares = scores.trained.share.mean(axis=1)
    layer = np.where(np.isfinite(r) & (r > 0.05), shares.argmax(axis=0), np.nan)
    for name, values in {"r_net": r, "net_minus_control": gap, "best_layer": layer}.items():
        for file, content in maps.map_files(name, values, study.space).items():
            running.folder.write(file, content)
    made = {
        "r_net": maps.slices(r, study.space, "r of the net"),
        "net_minus_control": maps.slices(gap, study.space, f"r of the net less {scores.control}"),
        "best_layer": maps.best_layers(layer, scores.trained.layers, study.space),
    }
    if study.space.is_known:
        made["glass_brain"] = maps.glass_brain(r, study.space, "r of the net")
        made["surface"] = maps.surface(r, study.space, "r of the net")
    return made


def rdms_figure(running: Encoding, rsa: RsaScores) -> Figure:
    """The brain's dissimilarities beside the best layer's and the best control's."""
    study = running.study
    spaces = {each.name: each for each in running.controls()}
    shown = [("brain", square(brain_rdms(study).mean(axis=0)))]
    for is_net in (True, False):
        own = [
            e for e in rsa.similarities if (e.role == "trained") == is_net and e.role != "permuted"
        ]
        own = [e for e in own if is_net or e.name in spaces]
        if not own:
            continue
        best = max(own, key=lambda each: each.value)
        values = spaces[best.name].values if not is_net else running.trained_layer(best.name)
        distance = "euclidean" if rsa.distance == "crossnobis" else rsa.distance
        shown.append((best.name, square(rdm(values, distance, rsa.scaling))))
    categories = None if study.stimuli is None else study.stimuli.categories
    return figures.rdm_figure(shown, categories)


def write_tables(
    study: Study,
    folder: StudyFolder,
    scores: EncodingScores,
    rsa: RsaScores | None,
    sentences: Sequence[str],
) -> None:
    """Tables as CSV, the sentences, and the summary that the board reads."""
    found = {
        "spaces": tables.space_rows(scores),
        "nets": tables.net_rows(scores),
        "targets": tables.target_rows(scores),
        "unique": tables.unique_rows(scores),
        "rsa": [] if rsa is None else tables.rsa_rows(rsa),
    }
    for name, rows in found.items():
        if rows:
            folder.write(f"{name}.csv", as_csv(rows))
    folder.write("sentences.txt", ("\n".join(sentences) + "\n").encode())
    summary = tables.summary(scores, study.hash)
    if summary is not None:
        folder.write(SUMMARY, (json.dumps(summary, indent=1) + "\n").encode())


def as_csv(rows: Sequence[dict[str, Any]]) -> bytes:
    """Rows of the same keys as a CSV file."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["none"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
