"""What the pages say, of whatever lies in the folders."""

import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest

from convscope.run import CONFIG, MANIFEST, SCORES, SOURCE, STATUS, Run
from tests.web.conftest import Explorer, MakeRun, epoch

Explore = Callable[..., Explorer]

HOSTILE = "<img src=x onerror=alert(1)>\"'&\n\x1b[31m"


def test_the_board_shows_every_run_with_its_accuracy(explore: Explore, sound_run: MakeRun) -> None:
    runs = [sound_run(base_channels=n) for n in (2, 4)]
    explorer = explore(runs[0].folder.parent)
    page = explorer.ask("/").text
    assert all(f'href="/run/{run.name}"' in page for run in runs)
    assert page.count("0.6667") >= 2
    rows = json.loads(explorer.ask("/?format=json&sort=params").text)
    assert [row["params"] for row in rows] == sorted(row["params"] for row in rows)
    assert rows[0]["page"] == f"/run/{rows[0]['run']}"


def test_the_board_is_filtered_as_on_the_command_line(explore: Explore, sound_run: MakeRun) -> None:
    runs = {n: sound_run(base_channels=n) for n in (2, 4)}
    explorer = explore(runs[2].folder.parent)
    found = explorer.ask("/?format=json&where=base_channels%3D4+seed%3D0").text
    assert [row["run"] for row in json.loads(found)] == [runs[4].name]
    answer = explorer.ask("/?where=chanels%3D4")
    assert answer.status == 422
    assert "chanels is neither a column of the board" in answer.text


def test_seeds_become_one_row(explore: Explore, sound_run: MakeRun) -> None:
    explorer = explore(sound_run(seed=0).folder, sound_run(seed=1).folder)
    rows = json.loads(explorer.ask("/?format=json&seeds=1").text)
    assert [row["n_seeds"] for row in rows] == [2]


def test_the_grid_has_a_coloured_place_for_each_network(
    explore: Explore, sound_run: MakeRun
) -> None:
    runs = [sound_run(base_channels=n) for n in (2, 4)]
    explorer = explore(runs[0].folder.parent)
    page = explorer.ask("/grid?keys=base_channels,dropout").text
    assert page.count('class="shade-') == 2
    assert explorer.ask("/grid?keys=dropout").status == 422


def test_two_runs_are_compared_clip_by_clip(explore: Explore, sound_run: MakeRun) -> None:
    runs = [sound_run(base_channels=n) for n in (2, 4)]
    explorer = explore(runs[0].folder.parent)
    address = f"/compare?run={runs[0].name}&run={runs[1].name}"
    found = json.loads(explorer.ask(f"{address}&format=json").text)
    assert found["agreement"] == {
        "both": 8, "first_alone": 0, "second_alone": 0, "neither": 4, "p": 1.0
    }  # fmt: skip
    assert [each["key"] for each in found["differences"]] == ["model.base_channels"]
    assert "tick two runs" in explorer.ask(f"/compare?run={runs[0].name}").text


def test_a_confusion_cell_opens_its_clips(explore: Explore, sound_run: MakeRun) -> None:
    run = sound_run()
    explorer = explore(run.folder)
    page = explorer.ask(f"/run/{run.name}").text
    assert f"/run/{run.name}/clips?actual=bed&amp;predicted=bird" in page
    found = explorer.ask(f"/run/{run.name}/clips?actual=bed&predicted=bird&format=json").text
    assert [clip["id"] for clip in json.loads(found)["clips"]] == [
        "bed/0_nohash_0.wav", "bed/3_nohash_0.wav"
    ]  # fmt: skip
    assert explorer.ask(f"/run/{run.name}/clips?actual=dog").status == 422


def test_a_clip_is_heard_and_seen_with_what_the_net_found(
    explore: Explore, sound_run: MakeRun
) -> None:
    base = f"/run/{sound_run().name}/clip/3"
    explorer = explore(sound_run().folder)
    for path, kind in ((".wav", "audio/wav"), (".png", "image/png"), ("/heard.wav", "audio/wav")):
        answer = explorer.ask(base + path)
        assert (answer.status, answer.headers["content-type"]) == (200, kind)
    assert explorer.ask(f"{base}.wav").body[:4] == b"RIFF"
    assert "Grad-CAM: where it found <em>cat</em>" in explorer.ask(f"{base}/found?unit=cat").text
    assert explorer.ask(f"/run/{sound_run().name}/clip/99.wav").status == 404


def test_suspect_labels_are_saved_as_a_list_of_exclusions(
    explore: Explore, sound_run: MakeRun, tmp_path: Path
) -> None:
    from convscope.data.exclude import read_exclusions

    run = sound_run()
    answer = explore(run.folder).ask(f"/run/{run.name}/exclusions.txt?clip=3&clip=0&clip=3")
    assert "attachment" in answer.headers["content-disposition"]
    (tmp_path / "exclude.txt").write_bytes(answer.body)
    ids = read_exclusions(tmp_path / "exclude.txt")
    assert ids == ["bed/0_nohash_0.wav", "bed/3_nohash_0.wav"]


def test_a_missing_clip_is_said_and_hides_nothing_else(
    explore: Explore, sound_run: MakeRun, tmp_path: Path
) -> None:
    run = sound_run()
    shutil.rmtree(tmp_path / "sounds")
    page = explore(run.folder).ask(f"/run/{run.name}/clips?actual=bed&predicted=bird")
    assert page.status == 200
    assert "no longer there" in page.text
    assert "Probabilities" in page.text


def test_broken_runs_say_so_and_hide_no_other(explore: Explore, sound_run: MakeRun) -> None:
    run = sound_run()
    for name, text in {"torn": "a: [", "foreign": "- 1", "odd": "model: {family: {a: 1}}"}.items():
        (run.folder.parent / name).mkdir()
        (run.folder.parent / name / CONFIG).write_text(text)
    os.mkfifo(run.folder.parent / "odd" / STATUS)
    explorer = explore(run.folder.parent)
    page = explorer.ask("/").text
    assert f'href="/run/{run.name}"' in page
    assert "torn/config.yaml is damaged" in page
    assert explorer.ask("/run/torn").status == 200
    assert explorer.ask("/run/odd").status == 200
    assert explorer.ask("/grid").status == explorer.ask("/parallel.json").status == 200


def test_scores_that_are_no_scores_are_a_problem_of_their_run(
    explore: Explore, sound_run: MakeRun
) -> None:
    good, bad = sound_run(seed=0), sound_run(seed=1)
    bad.write(SCORES, '{"interval": 3, "accuracy": "x"}')
    page = explore(good.folder.parent).ask("/").text
    assert f'href="/run/{good.name}"' in page
    assert "holds what convscope never wrote" in page


def test_a_run_that_comes_is_shown_and_one_that_goes_is_said_to_be_gone(
    explore: Explore, sound_run: MakeRun
) -> None:
    first = sound_run(seed=0)
    explorer = explore(first.folder.parent)
    assert explorer.ask("/").text.count('name="run"') == 1
    second = sound_run(seed=1)
    assert explorer.ask("/").text.count('name="run"') == 2
    shutil.rmtree(second.folder)
    answer = explorer.ask(f"/run/{second.name}")
    assert answer.status == 404
    assert "or no longer" in answer.text
    assert 'href="/"' in answer.text


def test_an_unfinished_run_has_its_curves(explore: Explore, sound_run: MakeRun) -> None:
    run = sound_run()
    for name in (MANIFEST, SCORES):
        (run.folder / name).unlink()
    run.write_status(state="running")
    explorer = explore(run.folder)
    assert "3 of 3" in explorer.ask(f"/run/{run.name}").text
    assert json.loads(explorer.ask(f"/run/{run.name}/epochs.json").text)["epoch"] == [1, 2, 3]
    assert "is not done" in explorer.ask(f"/run/{run.name}/clips").text


def test_a_network_of_somebody_else_is_not_built(explore: Explore, sound_run: MakeRun) -> None:
    run = sound_run()
    mark = run.folder / "was-run"
    (run.folder / SOURCE).write_text(f"open({str(mark)!r}, 'w')\ndef make_net(*_): ...\n")
    config = run.config | {"model": {"family": "net.py:make_net", "digest": "0" * 64}}
    run.write_config(config)
    run.finish()
    explorer = explore(run.folder)
    assert "--trust-code" in explorer.ask(f"/run/{run.name}/layers").text
    assert "--trust-code" in explorer.ask(f"/run/{run.name}/clip/0/found").text
    assert not mark.exists()


def test_names_from_the_disk_are_text(explore: Explore, sound_run: MakeRun) -> None:
    run = sound_run()
    named = run.folder.parent / HOSTILE.replace("/", "")
    run.folder.rename(named)
    Run(named).write_status(reason=HOSTILE, host=HOSTILE)
    explorer = explore(named)
    for path in ("/", "/grid", f"/run/{quote(named.name)}", f"/run/{quote(named.name)}/clips"):
        answer = explorer.ask(path)
        assert answer.status == 200
        assert "<img src=x" not in answer.text
        assert "\x1b" not in answer.text


def test_two_folders_of_one_name_have_pages_of_their_own(
    explore: Explore, sound_run: MakeRun, tmp_path: Path
) -> None:
    run = sound_run()
    shutil.copytree(run.folder, tmp_path / "others" / run.name)
    explorer = explore(run.folder.parent, tmp_path / "others")
    assert explorer.ask(f"/run/{run.name}~2").status == 200
    assert f'href="/run/{run.name}~2"' in explorer.ask("/").text


@pytest.mark.parametrize("path", ["/", "/grid", "/parallel", "/sweeps", "/nothing"])
def test_no_page_holds_a_style_or_script_of_its_own(
    explore: Explore, sound_run: MakeRun, path: str
) -> None:
    text = explore(sound_run().folder).ask(path).text
    assert " style=" not in text
    assert "<style" not in text
    assert "onclick" not in text
    assert "<script>" not in text


def test_many_explorers_read_one_folder_while_it_is_written(
    explore: Explore, sound_run: MakeRun
) -> None:
    run = sound_run()
    explorers = [explore(run.folder.parent) for _ in range(20)]
    asks = [
        partial(explorer.ask, path)
        for explorer in explorers
        for path in ("/", f"/run/{run.name}", f"/run/{run.name}/epochs.json")
    ]
    # FastAPI makes its types at the first request, of which 20 in one process get in each other's
    # way; explorers are processes of their own.
    assert {ask().status for ask in asks} == {200}
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ask) for ask in asks]
        for n in range(50):
            run.write_status(state="running", attempts=n)
            run.write_epochs([epoch(1 + i) for i in range(n)] or [epoch(1)])
        assert {each.result().status for each in asked} == {200}


def test_a_name_that_is_no_text_is_shown_all_the_same(explore: Explore, sound_run: MakeRun) -> None:
    run = sound_run()
    named = run.folder.parent / os.fsdecode(b"caf\xe9")
    run.folder.rename(named)
    assert "caf\\udce9" in explore(named).ask("/").text


def test_scores_of_another_shape_are_damaged(explore: Explore, sound_run: MakeRun) -> None:
    run = sound_run()
    run.write(SCORES, '{"accuracy": 0.5, "interval": [0, 1], "confusion": [[1]], "classes": 3}')
    answer = explore(run.folder).ask(f"/run/{run.name}")
    assert answer.status == 422
    assert "is damaged" in answer.text
