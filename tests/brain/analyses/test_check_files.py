"""Pictures for a person who checks a study."""

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from convscope.brain.analyses.check_files import check_files
from convscope.brain.hrf.convolve import convolved
from convscope.brain.inputs.study import Study
from convscope.brain.records import Recording, Run, Space, Stimuli
from convscope.brain.results import check_figures
from convscope.brain.settings import StudySettings

N_VOLUMES = 120


@pytest.fixture
def study() -> Study:
    """Clicks, convolved before, that voxel 5 of 12 follows; the study file does not say so."""
    rng = np.random.default_rng(0)
    clicks = (rng.random((N_VOLUMES, 1)) < 0.15).astype(float)
    column = convolved(clicks, np.zeros(N_VOLUMES), 2.0, "glover")
    volumes = rng.normal(size=(1, N_VOLUMES, 12)).astype(np.float32)
    volumes[0, :, 5] += 8 * column[:, 0] / column.std()
    settings = StudySettings.model_validate(
        {"responses": {"kind": "bold", "files": ["run.nii"], "tr_seconds": 2.0}}
    )
    run = Run("run-1", N_VOLUMES, design=column[None], design_names=("clicks",))
    space = Space(np.ones((3, 2, 2), bool), np.eye(4), is_known=False)
    names = tuple(f"voxel {i + 1}" for i in range(12))
    return Study("clicks", settings, None, (Recording("1", volumes),), (run,), names, space)


def test_a_column_that_looks_convolved_is_drawn_and_fitted_as_it_was_given(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Any] = []
    draw = check_figures.column_figure

    def noted(*args: Any) -> Figure:
        drawn.append(args)
        return draw(*args)

    monkeypatch.setattr(check_figures, "column_figure", noted)
    names = [name for name, _ in check_files(study)]
    assert names == ["responses.png", "design.png", "column-clicks.png"]
    ((column, z, volumes, tr_seconds, _, name),) = drawn
    given = study.runs[0].design_for(0)
    assert given is not None
    assert (column == given[:, 0]).all()
    assert int(np.argmax(z)) == 5
    assert (volumes == study.recordings[0].values[0]).all()
    assert (tr_seconds, name) == (2.0, "clicks")


def test_the_same_study_gives_the_same_pictures(study: Study) -> None:
    assert dict(check_files(study)) == dict(check_files(study))


def test_a_column_stands_over_the_mean_of_the_voxels_that_follow_it_most() -> None:
    rng = np.random.default_rng(0)
    column = np.sin(np.arange(40.0))
    volumes = rng.normal(size=(40, 30))
    volumes[:, :20] = column[:, None] * np.arange(1, 21)  # of any size: each counts as its z
    z = np.r_[np.full(20, 9.0), np.full(9, -1.0), np.nan]
    space = Space(np.ones((5, 3, 2), bool), np.eye(4), is_known=False)
    figure = check_figures.column_figure(column, z, volumes, 1.5, space, "tone")
    (axes,) = figure.subfigs[0].axes
    mean, own = (np.asarray(line.get_ydata()) for line in axes.lines)
    assert mean == pytest.approx(own)
    assert np.asarray(axes.lines[0].get_xdata())[-1] == 39 * 1.5
    assert axes.get_xlabel() == "time in s"
    legend: Any = axes.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == [
        "mean of the 20 voxels of greatest z",
        "tone",
    ]


def test_sounds_of_one_length_and_a_silent_one_have_their_histograms() -> None:
    figure = check_figures.sounds_figure([2.0] * 5, [-40, -40, -30, -20, -np.inf])
    all_axes: Any = figure.axes
    counts = [sum(bar.get_height() for bar in axes.patches) for axes in all_axes]
    assert counts == [5, 4]
    assert [axes.get_xlabel() for axes in figure.axes] == [
        "duration in s",
        "level in dB re full scale",
    ]


def test_sounds_have_their_picture_and_images_none() -> None:
    settings = StudySettings.model_validate(
        {"responses": {"kind": "per_stimulus", "file": "r.npy"}}
    )
    values = np.random.default_rng(0).normal(size=(1, 2, 3)).astype(np.float32)
    for kind, names in (("sound", ["responses.png", "sounds.png"]), ("image", ["responses.png"])):
        stimuli = Stimuli(kind, ("a", "b"), (), ("x", "y"), np.ones(2), levels_db=np.zeros(2))  # type: ignore[arg-type]
        study = Study(
            "s", settings, stimuli, (Recording("1", values),), (Run("all", 2),), tuple("tuv"), None
        )
        assert [name for name, _ in check_files(study)] == names
