"""Whose code a run's network is, and for whom it runs."""

import logging
import os
import threading
from pathlib import Path

import pytest

from convscope.errors import UserError
from convscope.models.spec import ModelSpec, UserNet, make_spec
from convscope.run import SIGNATURE, SOURCE, Run
from convscope.training.trust import keep_source, key_path, trusted

REFUSED = "was not trained by you on this machine, and its network is code: "


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CONVSCOPE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def spec(tmp_path: Path) -> UserNet:
    (tmp_path / "mine.py").write_text("def make_net(shape, n_classes): ...\ndef other(): ...\n")
    spec = make_spec({"family": f"{tmp_path / 'mine.py'}:make_net"})
    assert isinstance(spec, UserNet)
    return spec


@pytest.fixture
def run(tmp_path: Path, spec: UserNet) -> Run:
    """A run that this user has trained here."""
    run = Run(tmp_path / "run")
    keep_source(run, spec)
    return run


def test_a_network_of_a_family_needs_no_trust(tmp_path: Path) -> None:
    spec = make_spec({"family": "mnist"})
    run = Run(tmp_path / "run")
    keep_source(run, spec)
    assert trusted(run, spec, trust_code=False) is spec
    assert not run.folder.exists()


def test_ones_own_run_is_built_from_the_file_in_it_though_the_file_was_edited(
    run: Run, spec: UserNet
) -> None:
    before = spec.path.read_bytes()
    spec.path.write_text("raise SystemExit")
    own = trusted(run, spec, trust_code=False)
    assert isinstance(own, UserNet)
    assert (own.path, own.function, own.digest) == (run.path(SOURCE), "make_net", spec.digest)
    assert own.source() == before


def test_a_copy_of_ones_own_run_is_ones_own(run: Run, spec: UserNet, tmp_path: Path) -> None:
    run.folder.rename(tmp_path / "copy")
    trusted(Run(tmp_path / "copy"), spec, trust_code=False)


def test_a_run_of_somebody_with_another_key_is_refused_and_says_what_would_be_run(
    run: Run, spec: UserNet
) -> None:
    key_path().unlink()
    words = rf"{REFUSED}make_net of {run.path(SOURCE)} would be run with all your rights; read "
    with pytest.raises(UserError, match=words):
        trusted(run, spec, trust_code=False)
    assert not key_path().exists(), "to read makes no key"
    trusted(run, spec, trust_code=True)


def test_a_signature_beside_an_edited_file_is_of_no_use(run: Run, spec: UserNet) -> None:
    run.write(SOURCE, "print('evil')\n")
    evil = make_spec({"family": f"{run.path(SOURCE)}:make_net"})
    with pytest.raises(UserError, match=REFUSED):
        trusted(run, evil, trust_code=False)
    with pytest.raises(UserError, match="the file has changed since this network was described"):
        _source(trusted(run, spec, trust_code=False))  # by the settings it is still mine.py


def test_a_signature_is_of_one_function(run: Run, spec: UserNet) -> None:
    other = make_spec({"family": f"{spec.path}:other"})
    with pytest.raises(UserError, match=f"{REFUSED}other of"):
        trusted(run, other, trust_code=False)


@pytest.mark.parametrize("content", [b"", b"0" * 64, b"\xff" * 64, "ü".encode()])
def test_no_other_text_is_a_signature(run: Run, spec: UserNet, content: bytes) -> None:
    run.write(SIGNATURE, content)
    with pytest.raises(UserError, match=REFUSED):
        trusted(run, spec, trust_code=False)


def test_a_pipe_is_no_signature_and_is_not_waited_for(run: Run, spec: UserNet) -> None:
    run.path(SIGNATURE).unlink()
    os.mkfifo(run.folder / SIGNATURE)
    with pytest.raises(UserError, match=REFUSED):
        trusted(run, spec, trust_code=False)


def test_a_signature_that_is_a_link_out_of_the_run_is_none(
    run: Run, spec: UserNet, tmp_path: Path
) -> None:
    run.path(SIGNATURE).rename(tmp_path / "signature")
    (run.folder / SIGNATURE).symlink_to(tmp_path / "signature")
    with pytest.raises(UserError, match=REFUSED):
        trusted(run, spec, trust_code=False)


def test_a_source_that_is_a_link_out_of_the_run_is_refused_trusted_or_not(
    run: Run, spec: UserNet
) -> None:
    run.path(SOURCE).unlink()
    (run.folder / SOURCE).symlink_to(spec.path)
    for trust_code in (False, True):
        with pytest.raises(UserError, match=r"net\.py is a link that leads out of"):
            trusted(run, spec, trust_code)


def test_of_a_run_made_before_runs_kept_their_code_the_path_is_told(
    spec: UserNet, tmp_path: Path
) -> None:
    run = Run(tmp_path / "old")
    words = rf"make_net of {spec.path}, where the run, made before runs kept their code, has it fr"
    with pytest.raises(UserError, match=words):
        trusted(run, spec, trust_code=False)
    assert trusted(run, spec, trust_code=True) == spec
    spec.path.write_text("another by now")
    with pytest.raises(UserError, match="the file has changed since this network was described"):
        _source(trusted(run, spec, trust_code=True))


def _source(spec: ModelSpec) -> bytes:
    assert isinstance(spec, UserNet)
    return spec.source()


def test_an_edited_file_is_not_kept_for_the_network_that_it_was(
    spec: UserNet, tmp_path: Path
) -> None:
    spec.path.write_text("another by now")
    with pytest.raises(UserError, match="the file has changed since this network was described"):
        keep_source(Run(tmp_path / "run"), spec)
    assert not (tmp_path / "run").exists()


# The key


def test_the_key_is_32_random_bytes_of_the_users_alone(run: Run, cache: Path) -> None:
    assert key_path() == cache / f"key-{os.getuid()}"
    assert key_path().stat().st_mode & 0o777 == 0o600
    first = key_path().read_bytes()
    assert len(first) == 32
    assert [path.name for path in cache.iterdir()] == [key_path().name], "nothing half-written"
    key_path().unlink()
    keep_source(run, make_spec({"family": f"{run.path(SOURCE)}:make_net"}))
    assert key_path().read_bytes() != first


def test_trainings_that_begin_at_once_make_one_key(spec: UserNet, tmp_path: Path) -> None:
    start = threading.Barrier(8)

    def train(i: int) -> None:
        start.wait()
        keep_source(Run(tmp_path / f"run{i}"), spec)

    threads = [threading.Thread(target=train, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({Run(tmp_path / f"run{i}").path(SIGNATURE).read_text() for i in range(8)}) == 1
    for i in range(8):
        trusted(Run(tmp_path / f"run{i}"), spec, trust_code=False)


def _readable_by_others(key: Path) -> None:
    key.chmod(0o640)


def _too_short(key: Path) -> None:
    key.write_bytes(b"short")


def _a_link(key: Path) -> None:
    key.rename(key.with_name("elsewhere"))
    key.symlink_to("elsewhere")


@pytest.mark.parametrize("spoil", [_readable_by_others, _too_short, _a_link])
def test_a_key_that_others_may_know_signs_nothing(
    run: Run, spec: UserNet, caplog: pytest.LogCaptureFixture, spoil: object
) -> None:
    assert callable(spoil)
    spoil(key_path())
    with pytest.raises(UserError, match=REFUSED):
        trusted(run, spec, trust_code=False)
    run.path(SIGNATURE).unlink()
    with caplog.at_level(logging.WARNING):
        keep_source(run, spec)
    assert not run.path(SIGNATURE).exists()
    assert "run will be read with --trust-code alone: " in caplog.text


def test_a_training_goes_on_where_no_key_can_be_made(
    spec: UserNet, cache: Path, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    cache.write_text("a file is in the way")
    run = Run(tmp_path / "run")
    with caplog.at_level(logging.WARNING):
        keep_source(run, spec)
    assert run.path(SOURCE).is_file()
    assert f"{key_path()} cannot be used (" in caplog.text
