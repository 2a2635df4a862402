"""A real browser clicks through the explorer; not one violation of its Content-Security-Policy."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from convscope.run import MANIFEST, PREDICTIONS, SCORES, Run
from convscope.sweeps.driving.folder import SweepFolder
from convscope.sweeps.planning.grid import make_sweep
from tests.web.conftest import Explorer, MakeRun, epoch
from tests.web.test_sweeps import RECIPE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")

Explore = Callable[..., Explorer]

WIDTHS = (1280, 400)


@pytest.fixture(scope="module")
def chromium() -> Iterator["Browser"]:
    with playwright.sync_playwright() as started:
        sound = "--autoplay-policy=no-user-gesture-required"
        browser = started.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--mute-audio", sound]
        )
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium: "Browser") -> Iterator["Page"]:
    """A page; what it says on its console, of a refused style or script for one, fails the test."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    complaints: list[str] = []

    def hear(message: "ConsoleMessage") -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    tab.on("console", hear)
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    yield tab
    context.close()
    assert complaints == []


def test_from_the_board_to_a_clip_that_plays(
    tab: "Page", explore: Explore, sound_run: MakeRun
) -> None:
    run = sound_run()
    explorer = explore(run.folder.parent)
    tab.goto(explorer.url)
    tab.locator("a.point").first.click()
    playwright.expect(tab.locator("h1")).to_have_text(run.name)
    tab.locator(".confusion td a", has_text="2").first.click()
    playwright.expect(tab.locator("h1")).to_have_text("bed, labelled rightly")
    tab.locator("[data-play]").first.click()
    playhead = tab.locator(".playhead").first
    playwright.expect(playhead).to_have_attribute("visibility", "visible")
    ended = "() => new Promise((done) => document.querySelector('#player').onended = done)"
    tab.evaluate(ended)
    assert tab.evaluate("document.querySelector('#player').currentTime") > 0.9
    playwright.expect(tab.locator("#found h3")).to_have_text("Grad-CAM: where it found bed")
    tab.go_back()
    playwright.expect(tab.locator("h1")).to_have_text(run.name)


def test_clips_one_after_the_other_by_keyboard(
    tab: "Page", explore: Explore, sound_run: MakeRun
) -> None:
    run = sound_run()
    tab.goto(f"{explore(run.folder).url}/run/{run.name}/clips?actual=bed&predicted=bird")
    tab.keyboard.press("ArrowRight")
    playwright.expect(tab.locator(".clip h2")).to_have_text("bed/3_nohash_0.wav")
    assert "clip=3" in tab.url
    tab.keyboard.press("s")
    tab.keyboard.press("ArrowLeft")
    playwright.expect(tab.locator(".clip h2")).to_have_text("bed/0_nohash_0.wav")
    tab.keyboard.press("s")
    with tab.expect_download() as saved:
        tab.locator("[data-save-link]").click()
    lines = saved.value.path().read_text().splitlines()
    assert lines[1:] == ["bed/0_nohash_0.wav", "bed/3_nohash_0.wav"]


def test_new_epochs_appear_by_themselves(tab: "Page", explore: Explore, sound_run: MakeRun) -> None:
    run = sound_run()
    for name in (MANIFEST, SCORES, PREDICTIONS):
        (run.folder / name).unlink()
    run.write_status(state="running")
    run.write_epochs([epoch(1)])
    tab.goto(f"{explore(run.folder).url}/run/{run.name}")
    playwright.expect(tab.locator(".uplot")).to_have_count(2)
    playwright.expect(tab.locator("#facts")).to_contain_text("1 of 3")
    run.write_epochs([epoch(1), epoch(2)])
    playwright.expect(tab.locator("#facts")).to_contain_text("2 of 3")


def test_new_runs_appear_on_the_board(tab: "Page", explore: Explore, sound_run: MakeRun) -> None:
    explorer = explore(sound_run(seed=0).folder.parent)
    tab.goto(explorer.url)
    playwright.expect(tab.locator(".runs tbody tr")).to_have_count(1)
    sound_run(seed=1)
    playwright.expect(tab.locator(".runs tbody tr")).to_have_count(2)


def test_the_board_is_asked_without_leaving_it(
    tab: "Page", explore: Explore, sound_run: MakeRun
) -> None:
    runs = {n: sound_run(base_channels=n) for n in (2, 4)}
    tab.goto(explore(runs[2].folder.parent).url)
    tab.locator("[name=where]").fill("base_channels=4")
    tab.locator("[name=where]").press("Enter")
    playwright.expect(tab.locator(".runs tbody tr")).to_have_count(1)
    assert "where=base_channels%3D4" in tab.url
    tab.go_back()
    playwright.expect(tab.locator(".runs tbody tr")).to_have_count(2)


def test_two_ticked_runs_are_compared(tab: "Page", explore: Explore, sound_run: MakeRun) -> None:
    runs = [sound_run(base_channels=n) for n in (2, 4)]
    tab.goto(explore(runs[0].folder.parent).url)
    for box in tab.locator("[name=run]").all():
        box.check()
    tab.locator("button", has_text="compare").click()
    playwright.expect(tab.locator("h1")).to_have_text("Two runs")
    playwright.expect(tab.locator(".uplot")).to_have_count(2)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_fits_its_window_and_axe_finds_nothing_serious(
    chromium: "Browser",
    explore: Explore,
    sound_run: MakeRun,
    width: int,
    theme: Literal["light", "dark"],
) -> None:
    run, other = (sound_run(base_channels=n) for n in (2, 4))
    explorer = explore(run.folder.parent)
    context = chromium.new_context(
        viewport={"width": width, "height": 900}, color_scheme=theme, reduced_motion="reduce"
    )
    tab = context.new_page()
    base = f"/run/{run.name}"
    compare = f"/compare?run={run.name}&run={other.name}"
    paths = ("/", "/grid", "/parallel", compare, base, f"{base}/clips", "/sweeps", "/no")
    for path in paths:
        tab.goto(explorer.url + path)
        assert tab.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
        found = axe.Axe().run(tab).response["violations"]
        serious = [each for each in found if each["impact"] in ("serious", "critical")]
        assert [(each["id"], each["nodes"][0]["html"]) for each in serious] == [], path
    context.close()


def test_parallel_coordinates_are_drawn(tab: "Page", explore: Explore, sound_run: MakeRun) -> None:
    runs = [sound_run(base_channels=n) for n in (2, 4)]
    tab.goto(f"{explore(runs[0].folder.parent).url}/parallel")
    playwright.expect(tab.locator("canvas")).to_have_attribute("data-drawn", "2")


def test_a_cell_that_fails_is_seen_on_the_page_of_its_sweep(
    tab: "Page", explore: Explore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("convscope.web.sweep.cells.SECONDS_FRESH", 0.0)
    names = [cell.name for cell in make_sweep([RECIPE], "demo").cells]
    sweep = SweepFolder(tmp_path / "runs", "demo")
    sweep.create([RECIPE], names, threads=1)
    explorer = explore(sweep.out)
    tab.goto(f"{explorer.url}/sweep/demo?token={explorer.access.token}")
    playwright.expect(tab.locator("tbody .waiting")).to_have_count(2)
    Run(sweep.out / names[0]).write_status(state="failed", reason="out of memory", failures=3)
    playwright.expect(tab.locator("tbody .failed")).to_have_count(1)
    playwright.expect(tab.locator(".reason").first).to_be_visible()
    tab.locator("button", has_text="Retry").click()
    playwright.expect(tab.locator("tbody .waiting")).to_have_count(2)
