"""Pictures for a person who checks a study."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from convscope.brain.analyses.glm import designs_of, glm_of
from convscope.brain.analyses.glm_files import design_figure, file_name
from convscope.brain.inputs.design_checks import columns_that_look_convolved
from convscope.brain.inputs.study import Study
from convscope.brain.results import check_figures, figures
from convscope.figures import to_png


def check_files(study: Study) -> Iterator[tuple[str, bytes]]:
    """Names and contents: responses, sounds, the design, and each condition beside its map.

    Columns that look convolved are drawn as they were given, whatever the study file says: the
    map of one that was convolved twice shows nothing.
    """
    first = study.recordings[0]
    yield "responses.png", to_png(figures.responses_figure(first.mean, study.targets))
    stimuli = study.stimuli
    if stimuli is not None and stimuli.kind == "sound":
        figure = check_figures.sounds_figure(stimuli.seconds, stimuli.levels_db)
        yield "sounds.png", to_png(figure)
    if not study.is_bold or not all(run.events or run.design is not None for run in study.runs):
        return
    if any(columns_that_look_convolved(study, run) for run in study.runs):
        study = as_given(study)
    yield "design.png", to_png(design_figure(study))
    if study.space is not None:
        yield from _columns(study)


def as_given(study: Study) -> Study:
    """The same study, its predictors not convolved once more."""
    responses = study.settings.responses.model_copy(update={"already_convolved": True})
    return replace(study, settings=study.settings.model_copy(update={"responses": responses}))


def _columns(study: Study) -> Iterator[tuple[str, bytes]]:
    """Each contrast of the first subject that is a column of the design, beside its map."""
    assert study.space is not None
    first = replace(study, recordings=study.recordings[:1])
    design = designs_of(first)[0]
    volumes = first.recordings[0].values[0][study.run_of == 0].astype(np.float64)
    for each in glm_of(first):
        if each.map.name in design.names:
            column = design.values[:, design.names.index(each.map.name)]
            figure = check_figures.column_figure(
                column, each.map.z, volumes, study.tr_seconds, study.space, each.map.name
            )
            yield f"column-{file_name(each.map.name)}.png", to_png(figure)
