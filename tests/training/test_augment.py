"""Augmentation: what each does, by hand; that it is drawn per clip, from the generator alone."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy import stats

from convscope.data.config import DataConfig, ImagesConfig, MnistConfig, WordsConfig
from convscope.errors import UserError
from convscope.training.augment import (
    AugmentConfig,
    augment,
    band_mask,
    check_augment,
    crop,
    flip,
    gain,
    jitter,
    mixup,
    noise,
    shift,
    speed,
    time_mask,
)

SOUND = AugmentConfig(
    shift_seconds=0.1, speed=0.1, band_mask=0.2, time_mask_seconds=0.02, gain_db=6, noise=0.01
)
IMAGE = AugmentConfig(flip=True, crop_pixels=3, jitter=0.3)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def sounds(n_clips: int = 6, n_times: int = 200) -> torch.Tensor:
    return torch.rand(n_clips, 1, n_times, generator=seeded(9)) * 2 - 1


def images(n_clips: int = 6, side: int = 9) -> torch.Tensor:
    return torch.rand(n_clips, 3, side, side, generator=seeded(9))


def changed(clips: torch.Tensor, config: AugmentConfig, seed: int = 0) -> torch.Tensor:
    return augment(clips, config, seeded(seed), rate_hz=1000)


KINDS = pytest.mark.parametrize(
    ("make", "config"), [(sounds, SOUND), (images, IMAGE)], ids=["sounds", "images"]
)


@pytest.mark.parametrize("make", [sounds, images])
def test_augmentation_is_off_unless_asked_for(make: Callable[[], torch.Tensor]) -> None:
    clips, generator = make(), seeded()
    before = generator.get_state()
    assert augment(clips, AugmentConfig(), generator, rate_hz=1000) is clips
    assert mixup(clips, AugmentConfig(), generator).clips is clips
    assert torch.equal(generator.get_state(), before)


@KINDS
def test_same_generator_state_gives_the_same_clips(
    make: Callable[[], torch.Tensor], config: AugmentConfig
) -> None:
    assert torch.equal(changed(make(), config, 1), changed(make(), config, 1))
    assert not torch.equal(changed(make(), config, 1), changed(make(), config, 2))


@KINDS
def test_global_random_numbers_are_neither_used_nor_moved(
    make: Callable[[], torch.Tensor], config: AugmentConfig
) -> None:
    before = torch.get_rng_state()
    first = changed(make(), config)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(3)
    assert torch.equal(changed(make(), config), first)


@KINDS
def test_clips_of_a_batch_are_changed_differently(
    make: Callable[[int], torch.Tensor], config: AugmentConfig
) -> None:
    same = make(1).repeat(8, *[1] * (make(1).ndim - 1))
    different = changed(same, config)
    assert different.shape == same.shape
    assert len({tuple(clip.flatten().tolist()) for clip in different}) == 8


@KINDS
def test_clips_handed_in_stay_as_they_are(
    make: Callable[[], torch.Tensor], config: AugmentConfig
) -> None:
    clips = make()
    before = clips.clone()
    changed(clips, config)
    assert torch.equal(clips, before)


def test_shift_moves_zeros_in_and_nothing_around() -> None:
    clip = torch.arange(1.0, 8.0)
    expected = {
        tuple(
            torch.cat([torch.zeros(max(s, 0)), clip, torch.zeros(max(-s, 0))])[m : m + 7].tolist()
        )
        for s in range(-3, 4)
        for m in [max(-s, 0)]
    }
    shifted = shift(clip.repeat(300, 1, 1), 3, seeded())
    assert {tuple(row.tolist()) for row in shifted[:, 0]} == expected


def test_shift_in_seconds_counts_by_the_rate() -> None:
    impulse = torch.zeros(500, 1, 201)
    impulse[:, :, 100] = 1
    places = changed(impulse, AugmentConfig(shift_seconds=0.02)).argmax(-1)
    assert (places.min().item(), places.max().item()) == (80, 120)


def test_shift_without_a_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="need rate_hz"):
        augment(sounds(), AugmentConfig(shift_seconds=0.1), seeded())


def test_speed_moves_the_zero_crossings_of_a_tone_about_the_middle() -> None:
    """A tone of 25 Hz comes out at f · 25 Hz, f uniform in 0.8 to 1.2."""
    times = torch.arange(1001) / 1000 - 0.5
    tone = torch.sin(2 * torch.pi * 25 * times).repeat(400, 1, 1)
    out = speed(tone, 0.2, seeded())[:, 0, 100:901]  # 0.4 s either side: within the tone for all
    crossings = ((out[:, 1:] > 0) != (out[:, :-1] > 0)).sum(-1).numpy() / 2 / 0.8
    assert stats.kstest(crossings / 25 + 1e-9, stats.uniform(0.8, 0.4).cdf).pvalue > 1e-3
    assert torch.equal(out[:, 400], torch.zeros(400))


def test_speed_of_one_leaves_a_sound_as_it_is() -> None:
    assert torch.allclose(speed(sounds(), 0.0, seeded()), sounds(), atol=1e-6)


def test_faster_sounds_end_earlier_in_zeros() -> None:
    out = speed(torch.ones(200, 1, 101), 0.5, seeded())[:, 0]
    inside = (out > 0).sum(-1)
    assert inside.min() < 75
    assert inside.max() == 101  # slower ones are cut
    assert torch.allclose(out, out.flip(-1), atol=1e-4)


def test_band_mask_takes_at_most_two_bands_from_a_spectrum_and_nothing_else() -> None:
    impulse = torch.zeros(300, 1, 512)
    impulse[:, :, 0] = 1  # of flat spectrum
    spectra = torch.fft.rfft(band_mask(impulse, 0.3, 1000, seeded()))[:, 0].abs()
    assert torch.all((spectra < 1e-5) | ((spectra - 1).abs() < 1e-5))
    removed = spectra < 0.5
    starts = (removed[:, 1:] & ~removed[:, :-1]).sum(-1) + removed[:, 0]
    assert starts.max() == 2
    assert 0.2 < removed.float().mean() < 0.35  # two of 0.15 on average, overlaps once


def test_low_bands_are_as_often_masked_as_high_ones_on_the_mel_scale() -> None:
    impulse = torch.zeros(2000, 1, 512)
    impulse[:, :, 0] = 1
    removed = torch.fft.rfft(band_mask(impulse, 0.2, 16000, seeded()))[:, 0].abs() < 0.5
    mel = torch.log1p(torch.fft.rfftfreq(512, 1 / 16000) / 700)
    share = [removed[:, (mel / mel[-1] - at).abs().argmin()].float().mean() for at in (0.3, 0.7)]
    assert abs(share[0] - share[1]) < 0.04


def test_time_mask_silences_at_most_two_stretches() -> None:
    out = time_mask(torch.ones(300, 1, 400), 80, seeded())[:, 0]
    assert torch.all((out == 0) | (out == 1))
    silent = out == 0
    starts = (silent[:, 1:] & ~silent[:, :-1]).sum(-1) + silent[:, 0]
    assert starts.max() == 2
    assert silent.sum(-1).max() <= 2 * 81
    assert 0.14 < silent.float().mean() < 0.22


def test_gain_is_uniform_in_db_and_one_for_each_clip() -> None:
    ratio = gain(torch.ones(2000, 1, 4), 6, seeded())
    assert torch.equal(ratio, ratio[:, :, :1].expand_as(ratio))
    in_db = 20 * ratio[:, 0, 0].log10().numpy()
    assert stats.kstest(in_db, stats.uniform(-6, 12).cdf).pvalue > 0.01


def test_noise_is_white_and_its_deviation_uniform_up_to_the_most() -> None:
    added = noise(torch.zeros(500, 1, 2000), 0.1, seeded())
    deviations = added.std(dim=-1).flatten().numpy()
    assert stats.kstest(deviations, stats.uniform(0, 0.1).cdf).pvalue > 0.01
    loudest = added[deviations.argmax(), 0]
    assert stats.kstest(loudest / loudest.std(), stats.norm.cdf).pvalue > 0.01
    assert abs(np.corrcoef(loudest[1:], loudest[:-1])[0, 1]) < 0.06


def test_flip_mirrors_about_half_of_the_images_left_to_right() -> None:
    clips = images(400)
    flipped = flip(clips, seeded())
    is_same = (flipped == clips).flatten(1).all(1)
    is_mirrored = (flipped == clips.flip(3)).flatten(1).all(1)
    assert (is_same ^ is_mirrored).all()
    assert 160 < is_mirrored.sum() < 240


def test_crop_is_a_window_of_the_image_padded_with_its_reflection() -> None:
    image = images(1, 6)
    padded = torch.nn.functional.pad(image, (2, 2, 2, 2), mode="reflect")[0]
    windows = {
        tuple(padded[:, y : y + 6, x : x + 6].flatten().tolist())
        for y in range(5)
        for x in range(5)
    }
    cropped = crop(image.repeat(400, 1, 1, 1), 2, seeded())
    assert {tuple(clip.flatten().tolist()) for clip in cropped} == windows


def test_jitter_of_one_colour_changes_its_brightness_alone() -> None:
    grey = torch.full((300, 3, 4, 4), 0.5)
    changed_grey = jitter(grey, 0.2, seeded())
    assert changed_grey.flatten(1).std(dim=1).max() < 1e-6
    brightness = changed_grey[:, 0, 0, 0].numpy() / 0.5
    assert stats.kstest(brightness, stats.uniform(0.8, 0.4).cdf).pvalue > 0.01


def test_jitter_of_a_grey_image_leaves_it_grey() -> None:
    grey = images(5)[:, :1].repeat(1, 3, 1, 1)
    changed_grey = jitter(grey, 0.5, seeded())
    torch.testing.assert_close(changed_grey, changed_grey[:, :1].expand_as(changed_grey))


def test_jitter_by_hand() -> None:
    """The three factors, drawn again from the same state, applied with loops over pixels."""
    image = images(1, 2)
    generator = seeded(5)
    b, c, s = (1 + 0.4 * (2 * torch.rand(1, generator=generator).item() - 1) for _ in range(3))
    bright = image[0].double().numpy() * b
    contrasty = bright.mean() + c * (bright - bright.mean())
    expected = np.empty_like(contrasty)
    for y in range(2):
        for x in range(2):
            grey = contrasty[:, y, x].sum() / 3
            expected[:, y, x] = np.clip(grey + s * (contrasty[:, y, x] - grey), 0, 1)
    np.testing.assert_allclose(jitter(image, 0.4, seeded(5))[0].numpy(), expected, atol=1e-6)


def test_images_stay_between_black_and_white() -> None:
    bright = jitter(images(50), 1.0, seeded())
    assert bright.min() >= 0
    assert bright.max() <= 1


def test_mixup_mixes_every_clip_with_its_partner() -> None:
    clips = sounds()
    mixed, partner, weight = mixup(clips, AugmentConfig(mixup=0.5), seeded(3))
    assert sorted(partner.tolist()) == list(range(6))
    assert 0 < weight < 1
    for i in range(6):
        expected = weight * clips[i] + (1 - weight) * clips[partner[i]]
        torch.testing.assert_close(mixed[i], expected)


def test_without_mixup_every_clip_is_its_own_partner() -> None:
    clips = images()
    mixed = mixup(clips, AugmentConfig(), seeded())
    assert mixed.partner.tolist() == list(range(6))
    assert mixed.weight == 1


@pytest.mark.parametrize("alpha", [0.05, 0.2, 0.5, 1.0])
def test_mixup_weights_follow_the_beta_distribution(alpha: float) -> None:
    generator, clips = seeded(1), torch.zeros(1, 1, 1)
    config = AugmentConfig(mixup=alpha)
    weights = np.array([mixup(clips, config, generator).weight.item() for _ in range(2000)])
    small = weights[weights < 0.5]  # near 1, float32 rounds too much for the comparison
    assert len(small) == pytest.approx(1000, abs=80)
    assert stats.kstest(small, lambda w: 2 * stats.beta(alpha, alpha).cdf(w)).pvalue > 0.01


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("shift_seconds", -0.1),
        ("gain_db", -1),
        ("noise", -0.1),
        ("noise", 2),
        ("crop_pixels", -1),
        ("crop_pixels", 1.5),
        ("jitter", 1.1),
        ("mixup", -1),
        ("mixup", float("nan")),
    ],
)
def test_nonsense_is_refused_at_construction(key: str, value: float) -> None:
    with pytest.raises(ValidationError, match=key):
        AugmentConfig.model_validate({key: value})


@pytest.mark.parametrize("key", ["flip", "crop_pixels", "jitter"])
def test_image_augmentation_of_sound_is_refused(key: str) -> None:
    with pytest.raises(
        UserError,
        match=rf"train.augment.{key} is for images, but the data are sounds: leave it out; "
        r"there are shift_seconds, speed, band_mask, time_mask_seconds, gain_db, noise and mixup",
    ):
        check_augment(AugmentConfig.model_validate({key: 1}), WordsConfig())


@pytest.mark.parametrize("data", [ImagesConfig(), MnistConfig()])
@pytest.mark.parametrize("key", ["shift_seconds", "speed", "time_mask_seconds", "gain_db"])
def test_sound_augmentation_of_images_is_refused(key: str, data: DataConfig) -> None:
    with pytest.raises(
        UserError, match=rf"train.augment.{key} is for sounds, but the data are images"
    ):
        check_augment(AugmentConfig.model_validate({key: 0.5}), data)


@pytest.mark.parametrize(
    ("config", "data", "words"),
    [
        (
            AugmentConfig(shift_seconds=1),
            WordsConfig(),
            r"train.augment.shift_seconds: expected less than data.seconds, 1.0, got 1.0",
        ),
        (
            AugmentConfig(time_mask_seconds=1),
            WordsConfig(),
            r"train.augment.time_mask_seconds: expected less than data.seconds, 1.0, got 1.0",
        ),
        (
            AugmentConfig(crop_pixels=28),
            MnistConfig(),
            r"train.augment.crop_pixels: expected less than the image's side, 28, got 28",
        ),
    ],
)
def test_moving_a_clip_out_of_itself_is_refused(
    config: AugmentConfig, data: DataConfig, words: str
) -> None:
    with pytest.raises(UserError, match=words):
        check_augment(config, data)


def test_fitting_augmentation_is_accepted() -> None:
    check_augment(SOUND, WordsConfig())
    check_augment(IMAGE, ImagesConfig())
    check_augment(AugmentConfig(mixup=0.2), MnistConfig())
