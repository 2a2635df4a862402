"""Responses made of a known layer through a known HRF: the way from sounds to scores finds it."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray
from torch import nn

from convscope.brain.analyses.ceilings import ceiling_of
from convscope.brain.analyses.encode import encode_study
from convscope.brain.analyses.samples import draws_of, responses_of, samples_of
from convscope.brain.features.layers import layer_features
from convscope.brain.features.net import Net, weights_key
from convscope.brain.features.stimuli import sound
from convscope.brain.hrf.convolve import event_predictors
from convscope.brain.inputs.study import Study
from convscope.brain.records import Event, Recording, Run, Stimuli
from convscope.brain.results.sentences import answer, learned
from convscope.brain.results.study_folder import StudyFolder
from convscope.brain.settings import StudySettings

RATE_HZ = 4000
TR_SECONDS = 2.0
N_VOLUMES, N_RUNS, N_STIMULI, N_TARGETS = 150, 4, 40, 6


def net_of(seed: int) -> Net:
    """Two convolutions whose filters, unlike those of an untrained net, are tuned."""

    def fresh(own: int) -> nn.Module:
        torch.manual_seed(100 + own)
        return nn.Sequential(
            nn.Conv1d(1, 6, 31, padding=15, bias=False),
            nn.ReLU(),
            nn.Conv1d(6, 8, 31, padding=15),
            nn.Tanh(),
            nn.AdaptiveAvgPool1d(1),
            nn.Flatten(),
            nn.Linear(8, 2),
        ).eval()

    tuned = fresh(seed)
    assert isinstance(tuned, nn.Sequential)
    times = torch.arange(31) / RATE_HZ
    with torch.no_grad():
        for i, hz in enumerate((150, 300, 500, 800, 1200, 1700)):
            tuned.state_dict()["0.weight"][i, 0] = torch.cos(2 * torch.pi * hz * times) / 8
        tuned.state_dict()["2.weight"][:, 1:] = 0  # the second layer hears one band alone
    return Net(
        "tuned",
        tuned,
        nn.Identity(),
        "sound",
        RATE_HZ,
        (1, 400),
        ("1", "3"),
        fresh,
        weights_key(tuned),
    )


@pytest.fixture(scope="module")
def stimuli(tmp_path_factory: pytest.TempPathFactory) -> Stimuli:
    folder = tmp_path_factory.mktemp("sounds")
    rng = np.random.default_rng(0)
    times = np.arange(1200) / RATE_HZ
    files = []
    for i in range(N_STIMULI):
        hz, loud = rng.uniform(100, 1900, 3), rng.random(3)
        wave = sum(a * np.sin(2 * np.pi * f * times) for a, f in zip(loud, hz, strict=True))
        files.append(folder / f"{i:02d}.wav")
        soundfile.write(files[-1], 0.2 * np.asarray(wave), RATE_HZ)
    names = tuple(path.stem for path in files)
    return Stimuli("sound", names, tuple(files), names, np.full(N_STIMULI, 0.3))


def bold_of(
    net: Net, layer: str, stimuli: Stimuli, noise: float
) -> tuple[list[Run], NDArray[np.float64]]:
    """Runs of events, and volumes that a layer makes through Glover's response."""
    rng = np.random.default_rng(1)
    features = layer_features(
        net, lambda i: sound(stimuli.files[i], RATE_HZ), len(stimuli), [layer]
    )[layer].values
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    weights = rng.normal(size=(features.shape[1], N_TARGETS))
    runs, volumes = [], []
    for r in range(N_RUNS):
        order = rng.permutation(np.arange(r * 10, (r + 1) * 10).repeat(4))
        events = tuple(Event(4.0 + 7.0 * k, 0.3, "sound", int(s)) for k, s in enumerate(order))
        runs.append(Run(f"run-{r + 1}", N_VOLUMES, events))
        neural = event_predictors(events, features[order], N_VOLUMES, TR_SECONDS, "glover")
        signal = neural @ weights
        signal = signal / signal.std(axis=0)
        drifts = 8 * np.cos(np.pi * (np.arange(N_VOLUMES) + 0.5) / N_VOLUMES)[:, None]
        volumes.append(100 + drifts + signal + noise * rng.normal(size=signal.shape))
    return runs, np.concatenate(volumes)


def study_of(stimuli: Stimuli, runs: list[Run], volumes: NDArray[np.float64]) -> Study:
    settings = StudySettings.model_validate(
        {
            "responses": {"kind": "bold", "file": "made", "tr_seconds": TR_SECONDS},
            "features": {"n_untrained": 1, "equal_rank": 3},
            "encoding": {"n_bootstrap": 100, "n_permutations": 40, "penalties": (0.01, 1e4, 7)},
        }
    )
    recording = Recording("1", volumes[None].astype(np.float32))
    names = tuple(f"region {i + 1}" for i in range(N_TARGETS))
    return Study("made", settings, stimuli, (recording,), tuple(runs), names, None)


def test_the_layer_that_made_the_bold_wins_over_all_controls_near_the_ceiling(
    stimuli: Stimuli, tmp_path: Path
) -> None:
    net = net_of(0)
    runs, volumes = bold_of(net, "1", stimuli, noise=1.0)
    study = study_of(stimuli, runs, volumes)
    folder = StudyFolder(tmp_path, {"made": 1})
    with folder.opened():
        scores = encode_study(study, net, folder, lambda *_: None)
    assert scores.trained is not None
    assert scores.trained.layer == "1"
    share = scores.trained.share.mean(axis=(1, 2))
    assert share[0] > 0.8, [(e.name, e.role, e.r.mean()) for e in scores.spaces]
    ceiling = np.sqrt(1 / 2)  # signal and noise have the same variance
    own = next(each for each in scores.spaces if each.role == "trained" and each.name == "1")
    assert own.r.mean() == pytest.approx(ceiling, abs=0.08)
    assert own.r2.mean() == pytest.approx(ceiling**2, abs=0.1)
    for role in ("untrained", "permuted"):
        assert scores.mean_of(role).mean() < own.r.mean() - 0.1
    assert scores.p is not None
    assert (scores.p < 0.05).all()
    assert "better than the same architecture untrained" in learned(scores)
    assert "tuned" in answer(scores)


def test_features_at_the_volumes_are_what_made_them(stimuli: Stimuli) -> None:
    net = net_of(0)
    runs, volumes = bold_of(net, "1", stimuli, noise=0.0)
    study = study_of(stimuli, runs, volumes)
    features = layer_features(net, lambda i: sound(stimuli.files[i], RATE_HZ), len(stimuli), ["1"])[
        "1"
    ].values
    x, y = samples_of(study, features), responses_of(study)
    for run in range(N_RUNS):
        own = study.run_of == run
        left = y[own] - x[own] @ np.linalg.lstsq(x[own], y[own], rcond=None)[0]
        assert np.abs(left).max() < 0.05
    (draw,) = draws_of(study)
    assert [len(fold.test) for fold in draw.folds] == [N_VOLUMES] * N_RUNS


def test_one_subject_without_repeats_has_no_ceiling_and_two_have_one(stimuli: Stimuli) -> None:
    runs, volumes = bold_of(net_of(0), "1", stimuli, noise=1.0)
    study = study_of(stimuli, runs, volumes)
    assert ceiling_of(study).how == "none: one subject and one repeat"
    more = np.random.default_rng(5).normal(size=volumes.shape)
    second = Recording("2", (volumes + more)[None].astype(np.float32))
    both = Study(**{**study.__dict__, "recordings": (*study.recordings, second)})
    found = ceiling_of(both)
    assert found.lower is not None
    assert 0.3 < found.lower.mean() < 0.95
