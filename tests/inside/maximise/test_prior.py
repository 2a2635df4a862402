"""A prior learns what clips are like; its code stays where clips are."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from convscope.inside.maximise import part_prior as part
from convscope.inside.maximise.maximise import Maximised
from convscope.inside.maximise.prior import Latent, Prior, train_prior
from convscope.inside.results.writer import ResultWriter
from convscope.inside.subject.subject import Choice, Examples, Subject


def bars(n_clips: int) -> Tensor:
    """Images of one bright row or column."""
    images = torch.zeros(n_clips, 1, 12, 10)
    for i in range(n_clips):
        if i % 2:
            images[i, 0, i % 12] = 1
        else:
            images[i, 0, :, i % 10] = 1
    return images


def trained(seed: int = 0, steps: int = 80) -> Prior:
    clips = bars(120)
    return train_prior(Prior((1, 12, 10), None), lambda i: clips[i], 120, steps=steps, seed=seed)


def error(prior: Prior, clips: Tensor) -> float:
    target = (prior.features(clips) - prior.centre) / prior.spread
    mean = prior.encoder(target).chunk(2, 1)[0]
    return float((prior(mean) - clips).square().mean())


def test_a_trained_prior_makes_clips_again_far_better_than_their_mean() -> None:
    clips = bars(120)
    assert error(trained(), clips) < 0.5 * float((clips - clips.mean(0)).square().mean())


def test_the_same_seed_trains_the_same_prior_and_leaves_the_random_numbers() -> None:
    one, same, other = (trained(seed, steps=2).state_dict() for seed in (0, 0, 1))
    torch.testing.assert_close(one, same, rtol=0, atol=0)
    assert not torch.equal(one["encoder.0.weight"], other["encoder.0.weight"])


def test_training_leaves_the_random_numbers_as_they_were() -> None:
    clips, prior = bars(10), Prior((1, 12, 10), None)
    before = torch.get_rng_state()
    train_prior(prior, lambda i: clips[i], 10, steps=1)
    torch.testing.assert_close(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("shape", "rate_hz"), [((1, 16000), 16000), ((1, 777), 1000), ((3, 172, 100), None)]
)
def test_a_prior_gives_clips_of_the_shape_that_is_asked_for(
    shape: tuple[int, ...], rate_hz: int | None
) -> None:
    prior = Prior(shape, rate_hz)
    code = torch.randn(2, prior.n_codes, requires_grad=True)
    clips = prior(code)
    assert clips.shape == (2, *shape)
    (gradient,) = torch.autograd.grad(clips.square().sum(), code)
    assert gradient.isfinite().all()


def test_a_sound_keeps_its_spectrum_and_gets_other_phases() -> None:
    prior = Prior((1, 8000), 8000)
    times = torch.arange(8000) / 8000
    clip = (0.3 * torch.sin(2 * torch.pi * 1000 * times))[None, None]
    made = prior.features.clips(prior.features(clip))
    power = torch.fft.rfft(made[0, 0]).abs()
    assert abs(int(power.argmax()) - 1000) < 80


def test_a_code_goes_no_farther_out_than_codes_of_clips_lie() -> None:
    way = Latent(Prior((1, 12, 10), None))
    code = torch.cat([torch.full((1, 32), 5.0), torch.full((1, 32), 0.1)])
    tidied = way.tidied(code, lambda inputs: inputs)
    assert float(tidied[0].norm()) == pytest.approx(32**0.5)
    torch.testing.assert_close(tidied[1], code[1])


def test_the_best_restart_of_each_target_is_taken() -> None:
    values = np.array([1, 5, 7, 2], np.float32)
    found = Maximised(values[:, None], ("a", "a", "b", "b"), values, values[None])
    best = part.best_restarts(found, 2)
    assert best.values.tolist() == [5, 7]
    assert best.targets == ("a", "b")
    assert best.inputs[:, 0].tolist() == [5, 7]


def test_a_prior_is_kept_and_taken_again_for_the_same_clips_and_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_trainings = []

    def quick(prior: Prior, *rest: object, **named: object) -> Prior:
        n_trainings.append(1)
        return prior.eval().requires_grad_(False)

    monkeypatch.setattr(part, "train_prior", quick)
    small = _images()
    for seed in (0, 0, 1):
        part.look_prior(small, Choice(seed=seed), ResultWriter(tmp_path))
    assert len(n_trainings) == 2
    assert (tmp_path / "prior_logits.png").is_file()


def _images() -> Subject:
    clips = (255 * bars(64)).to(torch.uint8).numpy()
    examples = Examples(clips, np.zeros(64, np.int64), np.array([f"{i}.png" for i in range(64)]))
    return Subject(
        name="small",
        net=nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(160, 2)),
        scale=lambda stored: stored.float() / 255,
        front=nn.Identity(),
        domain="image",
        shape=(1, 12, 10),
        clip_shape=(1, 12, 10),
        classes=("a", "b"),
        examples=examples,
    )
