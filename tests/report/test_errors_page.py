import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from PIL import Image

from convscope.report.errors_page import errors_page
from convscope.run import Run
from convscope.scores.errors import WrongClip, wrong_clips_of

Outline = Callable[[Path], Any]
MakeRun = Callable[..., Run]


def content(address: str) -> io.BytesIO:
    return io.BytesIO(base64.b64decode(address.partition(",")[2]))


def test_the_page_plays_the_samples_of_the_stored_files(
    sound_run: MakeRun, outline: Outline, tmp_path: Path
) -> None:
    run = sound_run()
    clips = wrong_clips_of(run)
    page = outline(errors_page(run, clips, tmp_path / "page"))
    sounds = page.all("audio")
    assert len(sounds) == len(clips) == 4
    for clip, sound in zip(clips, sounds, strict=True):
        stored, rate = soundfile.read(tmp_path / "sounds" / clip.id, dtype="int16")
        heard, heard_rate = soundfile.read(content(sound["src"]), dtype="int16")
        assert heard_rate == rate
        np.testing.assert_array_equal(heard, stored)


def test_clips_stand_with_file_label_and_answer_in_the_order_given(
    sound_run: MakeRun, outline: Outline, tmp_path: Path
) -> None:
    run = sound_run()
    clips = wrong_clips_of(run)
    text = " ".join(outline(errors_page(run, clips, tmp_path / "page")).text.split())
    places = [
        text.index(
            f"{c.actual} heard as {c.predicted}, probability {c.probability:.3f} "
            f"{tmp_path / 'sounds' / c.id}"
        )
        for c in clips
    ]
    assert places == sorted(places)


def test_a_file_that_is_gone_is_missing_with_its_path(
    sound_run: MakeRun, outline: Outline, tmp_path: Path
) -> None:
    run = sound_run()
    clips = wrong_clips_of(run)
    gone = tmp_path / "sounds" / clips[0].id
    gone.unlink()
    page = outline(errors_page(run, clips, tmp_path / "page"))
    assert page.text.count("no longer there") == 1
    assert str(gone) in page.text
    assert len(page.all("audio")) == len(clips) - 1


def test_a_damaged_file_says_what_is_wrong_with_it(
    sound_run: MakeRun, outline: Outline, tmp_path: Path
) -> None:
    run = sound_run()
    clips = wrong_clips_of(run)
    (tmp_path / "sounds" / clips[1].id).write_bytes(b"")
    page = outline(errors_page(run, clips, tmp_path / "page"))
    assert "is empty (0 bytes)" in page.text


def test_of_many_clips_the_first_are_shown_and_the_rest_counted(
    sound_run: MakeRun, outline: Outline, tmp_path: Path
) -> None:
    run = sound_run()
    page = outline(errors_page(run, wrong_clips_of(run), tmp_path / "page", most=3))
    assert len(page.all("audio")) == 3
    assert "1 more are left out" in page.text


def test_images_are_seen_with_their_pixels(
    image_run: Run, outline: Outline, tmp_path: Path
) -> None:
    clips = wrong_clips_of(image_run)
    page = outline(errors_page(image_run, clips, tmp_path / "page"))
    for clip, image in zip(clips, page.all("img"), strict=True):
        shown = Image.open(content(image["src"]))
        stored = Image.open(tmp_path / "images" / clip.id)
        assert shown.tobytes() == stored.tobytes()
    assert not page.all("audio")
    assert "seen as" in page.text


def test_digits_of_mnist_are_found_by_their_rows(
    outline: Outline, tmp_path: Path, real_data: Callable[[str], Path]
) -> None:
    run = Run(tmp_path / "run")
    run.write_config(
        {
            "data": {"kind": "mnist", "folder": str(real_data("mnist"))},
            "model": {"family": "mnist"},
        }
    )
    clips = [WrongClip(id, "1", "7", 0.9, 0.8) for id in ("t10k-00003", "t10k-99999")]
    page = outline(errors_page(run, clips, tmp_path / "page"))
    (image,) = page.all("img")
    assert Image.open(content(image["src"])).size == (28, 28)
    assert "no such row any more" in page.text


def test_a_run_without_wrong_clips_has_a_page_that_says_so(
    sound_run: MakeRun, outline: Outline, tmp_path: Path
) -> None:
    page = outline(errors_page(sound_run(), [], tmp_path / "page"))
    assert "none was labelled wrongly" in page.text


def test_hostile_names_are_text_and_nothing_more(
    sound_run: MakeRun, outline: Outline, tmp_path: Path
) -> None:
    run = sound_run()
    hostile = WrongClip("<script>a</script>/'\"><b>.wav", "<script>", '"><img src=x>', 0.9, 0.8)
    page = outline(errors_page(run, [hostile], tmp_path / "page"))
    assert "<script>a</script>" in page.text
    assert '"><img src=x>' in page.text
    assert not page.all("img")
