"""Files of a run go to another machine and come back."""

import os
from pathlib import Path

import pytest

from convscope.errors import RunFailed, UserError
from convscope.models.spec import make_spec
from convscope.run import (
    CONFIG,
    EPOCHS,
    MANIFEST,
    MODEL,
    SIGNATURE,
    SOURCE,
    STATE,
    STATUS,
    WRITTEN,
    Run,
)
from convscope.sweeps.cluster.transfer import ORDER, Away, Changes, kept, put
from convscope.training.attempt import Held, held
from convscope.training.trust import trusted

SPEC = make_spec({"family": "mnist"})


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "cell")


def test_all_files_of_a_run_travel() -> None:
    assert sorted([*ORDER, SIGNATURE]) == sorted(WRITTEN), "each user's own key signs"


def test_changes_are_taken_once_and_again_where_a_file_was_put_in_its_place(run: Run) -> None:
    run.write(STATE, "one")
    run.write(EPOCHS, "1")
    changes = Changes(run)
    assert changes.take() == {STATE: b"one", EPOCHS: b"1"}
    assert changes.take() == {}
    run.write(STATE, "two")  # as long as the one before
    assert changes.take() == {STATE: b"two"}
    run.path(STATE).unlink()
    assert changes.take() == {}


def test_table_of_epochs_is_never_read_newer_than_the_state(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An epoch ends while files are read: its state is put in place, and then the table."""
    run.write(STATE, "state of 1")
    run.write(EPOCHS, "rows of 1")
    read = Path.read_bytes

    def read_then_write(path: Path) -> bytes:
        content = read(path)
        run.write(STATE, "state of 2")
        run.write(EPOCHS, "rows of 2")
        return content

    monkeypatch.setattr(Path, "read_bytes", read_then_write)
    assert Changes(run).take() == {EPOCHS: b"rows of 1", STATE: b"state of 2"}


def test_manifest_is_put_last_and_the_state_removed(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    write = Run.write

    def noted(run: Run, name: str, content: str | bytes) -> None:
        order.append(name)
        write(run, name, content)

    monkeypatch.setattr(Run, "write", noted)
    put(run, dict.fromkeys((MANIFEST, MODEL, CONFIG, STATE, STATUS), b"{}"))
    assert order == [CONFIG, STATE, MODEL, STATUS, MANIFEST]
    assert sorted(os.listdir(run.folder)) == sorted([CONFIG, MODEL, STATUS, MANIFEST])


def test_what_is_kept_is_put_elsewhere_unchanged(run: Run, tmp_path: Path) -> None:
    for name in (CONFIG, EPOCHS, STATE, STATUS, MODEL):
        run.write(name, name)
    there = Run(tmp_path / "there")
    put(there, kept(run))
    assert kept(there) == {name: name.encode() for name in (CONFIG, EPOCHS, STATE, STATUS)}


def test_run_that_is_away_is_held_until_its_release(run: Run) -> None:
    away = Away(run, SPEC)
    with pytest.raises(Held):
        Away(run, SPEC)
    away.keep({STATE: b"one"})
    away.release()
    with held(run):
        assert run.path(STATE).read_bytes() == b"one"


def test_run_of_which_nothing_came_leaves_no_folder(run: Run) -> None:
    Away(run, SPEC).release()
    assert not run.folder.exists()


def test_half_written_files_of_a_killed_driver_are_removed(run: Run) -> None:
    run.folder.mkdir()
    (run.folder / f".{STATE}.abc").touch()
    Away(run, SPEC).release()
    assert not run.folder.exists()


def test_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunFailed, match=r"cannot be written .*another folder with --out"):
        Away(Run(tmp_path / "file" / "cell"), SPEC)


def test_a_network_of_ones_own_that_was_trained_elsewhere_is_signed_here_once_it_is_done(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVSCOPE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "mine.py").write_text("def make_net(shape, n_classes): ...")
    spec = make_spec({"family": f"{tmp_path / 'mine.py'}:make_net"})
    away = Away(run, spec)
    away.keep({SOURCE: (tmp_path / "mine.py").read_bytes()})
    with pytest.raises(UserError, match="was not trained by you"):
        trusted(run, spec, trust_code=False)
    away.keep({MANIFEST: b"{}"})
    away.release()
    trusted(run, spec, trust_code=False)
