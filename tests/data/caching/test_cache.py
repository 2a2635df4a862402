"""Clips are decoded once, rebuilt when a file changes, and never half-written."""

import errno
import mmap
import os
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from convscope.data.caching.cache import Decoded, decode_files
from convscope.data.caching.folder import cache_folder, cache_root
from convscope.data.listing.files import ClipFile, Decoder, Unreadable
from convscope.data.listing.notes import DecodedClip
from convscope.errors import UserError

DiskUsage = namedtuple("DiskUsage", "total used free")


class Numbers:
    """Decodes files that hold a number; remembers which it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.decoder = Decoder("numbers", (1, 3), np.int16, self.decode)

    def decode(self, path: Path) -> DecodedClip:
        self.asked.append(path.name)
        text = path.read_text()
        if not text.isdigit():
            raise Unreadable("is no number")
        return DecodedClip(np.full((1, 3), int(text), np.int16), int(text) % 2 == 0)


@pytest.fixture
def numbers() -> Numbers:
    return Numbers()


@pytest.fixture
def folder(tmp_path: Path, cache: Path) -> Path:
    """a00 … a19 hold 0 … 19, a05 something else."""
    folder = tmp_path / "data"
    folder.mkdir()
    for i in range(20):
        (folder / f"a{i:02}").write_text(str(i) if i != 5 else "five")
    return folder


def listed(folder: Path, pattern: str = "*") -> list[ClipFile]:
    return [ClipFile(path, path.name, "a", "train") for path in folder.glob(pattern)]


def values(decoded: Decoded) -> list[int]:
    return [int(clip[0, 0]) for clip in decoded.clips]


def is_mapped(decoded: Decoded) -> bool:
    base: object = decoded.clips
    while isinstance(base, np.ndarray):
        base = base.base
    return isinstance(base, mmap.mmap)


def contents(cache: Path) -> dict[str, bytes]:
    return {str(p.relative_to(cache)): p.read_bytes() for p in cache.rglob("*") if p.is_file()}


GOOD = [i for i in range(20) if i != 5]


def test_clips_come_in_the_order_of_their_ids(folder: Path, numbers: Numbers) -> None:
    decoded = decode_files(reversed(listed(folder)), folder, numbers.decoder)
    assert values(decoded) == GOOD
    assert [file.id for file in decoded.files] == [f"a{i:02}" for i in GOOD]
    assert decoded.exact.tolist() == [i % 2 == 0 for i in GOOD]
    assert [(bad.path, bad.reason) for bad in decoded.left_out] == [("a05", "is no number")]


def test_a_second_call_decodes_nothing_and_maps_the_same(folder: Path, numbers: Numbers) -> None:
    first = decode_files(listed(folder), folder, numbers.decoder)
    numbers.asked.clear()
    second = decode_files(listed(folder), folder, numbers.decoder)
    assert numbers.asked == []
    assert is_mapped(second)
    np.testing.assert_array_equal(first.clips, second.clips)
    assert (first.fingerprint, first.left_out) == (second.fingerprint, second.left_out)


def test_only_a_changed_file_is_decoded_again(folder: Path, cache: Path, numbers: Numbers) -> None:
    before = decode_files(listed(folder), folder, numbers.decoder)
    status = (folder / "a07").stat()
    (folder / "a07").write_text("8")  # as long as before, and as old
    os.utime(folder / "a07", ns=(status.st_atime_ns, status.st_mtime_ns))
    numbers.asked.clear()
    after = decode_files(listed(folder), folder, numbers.decoder)
    assert numbers.asked == ["a07"]
    assert values(after) == [8 if i == 7 else i for i in GOOD]
    assert after.fingerprint != before.fingerprint
    assert values(before) == GOOD, "who holds the old version keeps it"
    assert len(list(cache.rglob("clips-*"))) == 1


def test_a_mended_file_comes_back_and_a_new_one_joins(folder: Path, numbers: Numbers) -> None:
    decode_files(listed(folder), folder, numbers.decoder)
    (folder / "a05").write_text("5")
    (folder / "b").write_text("99")
    decoded = decode_files(listed(folder), folder, numbers.decoder)
    assert values(decoded) == [*range(20), 99]
    assert decoded.left_out == ()


def test_a_file_that_is_gone_leaves_the_cache_too(folder: Path, numbers: Numbers) -> None:
    decode_files(listed(folder), folder, numbers.decoder)
    (folder / "a03").unlink()
    numbers.asked.clear()
    decoded = decode_files(listed(folder), folder, numbers.decoder)
    assert values(decoded) == [i for i in GOOD if i != 3]
    assert is_mapped(decoded)
    assert numbers.asked == []


def test_a_listed_file_that_is_not_there_is_left_out(folder: Path, numbers: Numbers) -> None:
    files = [*listed(folder), ClipFile(folder / "zz", "zz", "a", "train")]
    decoded = decode_files(files, folder, numbers.decoder)
    assert decoded.left_out[-1].path == "zz"
    assert decoded.left_out[-1].reason == "cannot be read (No such file or directory)"


def test_other_words_of_a_folder_share_its_cache(
    folder: Path, cache: Path, numbers: Numbers
) -> None:
    decode_files(listed(folder, "a0*"), folder, numbers.decoder)
    numbers.asked.clear()
    everything = decode_files(listed(folder), folder, numbers.decoder)
    assert sorted(numbers.asked) == [f"a{i}" for i in range(10, 20)]
    part = decode_files(listed(folder, "a0*"), folder, numbers.decoder)
    scattered = decode_files(listed(folder, "*[18]"), folder, numbers.decoder)
    assert values(everything) == GOOD
    assert values(part) == [0, 1, 2, 3, 4, 6, 7, 8, 9]
    assert values(scattered) == [1, 8, 11, 18]
    assert is_mapped(part)
    assert not is_mapped(scattered)
    assert len(list(cache.iterdir())) == 1


def test_recipes_that_take_turns_decode_once(folder: Path, numbers: Numbers) -> None:
    for pattern in ("a0*", "a1*", "a0*", "a1*"):
        decode_files(listed(folder, pattern), folder, numbers.decoder)
    assert len(numbers.asked) == 20


def test_the_fingerprint_is_of_the_clips_used_and_not_of_the_folder(
    folder: Path, tmp_path: Path, numbers: Numbers
) -> None:
    first = decode_files(listed(folder, "a0*"), folder, numbers.decoder)
    decode_files(listed(folder), folder, numbers.decoder)
    again = decode_files(listed(folder, "a0*"), folder, numbers.decoder)
    moved = folder.rename(tmp_path / "elsewhere")
    elsewhere = decode_files(listed(moved, "a0*"), moved, numbers.decoder)
    fewer = decode_files(listed(moved, "a0[1-9]"), moved, numbers.decoder)
    assert first.fingerprint == again.fingerprint == elsewhere.fingerprint != fewer.fingerprint


def test_the_cache_is_the_same_bytes_for_any_number_of_workers(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, numbers: Numbers
) -> None:
    caches = []
    for workers in (1, 2, 5):
        monkeypatch.setenv("CONVSCOPE_CACHE", str(tmp_path / f"cache{workers}"))
        decode_files(listed(folder), folder, numbers.decoder, workers)
        caches.append(contents(tmp_path / f"cache{workers}"))
    assert caches[0] == caches[1] == caches[2]
    assert sum(map(len, caches[0].values())) > 19 * 6


def test_progress_ends_with_everything(folder: Path, numbers: Numbers) -> None:
    seen: list[tuple[int, int]] = []
    decode_files(listed(folder), folder, numbers.decoder, 1, lambda *step: seen.append(step))
    assert seen[-1] == (20, 20)


def test_no_file_at_all_is_no_clip_at_all(folder: Path, numbers: Numbers) -> None:
    assert decode_files([], folder, numbers.decoder).clips.shape == (0, 1, 3)
    only_bad = decode_files(listed(folder, "a05"), folder, numbers.decoder)
    assert only_bad.clips.shape == (0, 1, 3)


def test_a_build_that_fails_leaves_the_old_version(
    folder: Path, cache: Path, numbers: Numbers
) -> None:
    decode_files(listed(folder, "a0*"), folder, numbers.decoder)
    before = contents(cache)

    def broken(path: Path) -> DecodedClip:
        if path.name == "a15":
            raise RuntimeError("the decoder broke")
        return DecodedClip(np.zeros((1, 3), np.int16), True)

    with pytest.raises(RuntimeError, match="the decoder broke"):
        decode_files(listed(folder), folder, Decoder("numbers", (1, 3), np.int16, broken))
    assert contents(cache) == before
    assert values(decode_files(listed(folder), folder, numbers.decoder)) == GOOD


DIES_MIDWAY = """
import os, signal, sys
from pathlib import Path
import numpy as np
from convscope.data.caching.cache import decode_files
from convscope.data.listing.files import ClipFile, Decoder
from convscope.data.listing.notes import DecodedClip

def decode(path):
    if path.name == "c299":
        os.kill(os.getpid(), signal.SIGKILL)
    return DecodedClip(np.zeros((1, 3), np.int16), True)

folder = Path(sys.argv[1])
files = [ClipFile(p, p.name, "c", "train") for p in folder.iterdir()]
decode_files(files, folder, Decoder("numbers", (1, 3), np.int16, decode))
"""


def test_a_killed_build_leaves_nothing_half(tmp_path: Path, cache: Path, numbers: Numbers) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for i in range(300):
        (folder / f"c{i}").write_text(str(i))
    assert subprocess.run([sys.executable, "-c", DIES_MIDWAY, str(folder)]).returncode == -9
    left = {path.name for path in cache_folder(folder, numbers.decoder).iterdir()}
    assert left == {"lock", "clips.tmp"}
    decoded = decode_files(listed(folder), folder, numbers.decoder)
    assert sorted(values(decoded)) == list(range(300))
    names = {path.name.split("-")[0] for path in cache_folder(folder, numbers.decoder).iterdir()}
    assert names == {"lock", "clips", "index.json", "settings.json"}


COUNTS = """
import os, sys
from pathlib import Path
import numpy as np
from convscope.data.caching.cache import decode_files
from convscope.data.listing.files import ClipFile, Decoder
from convscope.data.listing.notes import DecodedClip

folder, log = Path(sys.argv[1]), os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

def decode(path):
    os.write(log, f"{path.name}\\n".encode())
    return DecodedClip(np.full((1, 3), int(path.name[1:]), np.int16), True)

files = [ClipFile(p, p.name, "c", "train") for p in folder.iterdir()]
decoded = decode_files(files, folder, Decoder("numbers", (1, 3), np.int16, decode))
print(decoded.clips.sum())
"""


def test_of_two_processes_one_decodes_and_both_have_the_clips(folder: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-c", COUNTS, str(folder), str(log)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[0].strip() for process in both] == [str(3 * sum(range(20)))] * 2
    assert sorted(log.read_text().split()) == [f"a{i:02}" for i in range(20)]


@pytest.mark.parametrize("name", ["index.json", "clips-*.bin"])
def test_a_damaged_cache_is_built_anew(
    folder: Path, cache: Path, numbers: Numbers, name: str
) -> None:
    decode_files(listed(folder), folder, numbers.decoder)
    (damaged,) = cache.rglob(name)
    damaged.write_bytes(damaged.read_bytes()[:-7])
    assert values(decode_files(listed(folder), folder, numbers.decoder)) == GOOD
    assert len(numbers.asked) == 40


def test_another_decoder_has_another_cache(folder: Path, cache: Path, numbers: Numbers) -> None:
    decode_files(listed(folder), folder, numbers.decoder)

    def halved(path: Path) -> DecodedClip:
        return DecodedClip(numbers.decode(path).clip[:, :1] // 2, True)

    half = Decoder("halves", (1, 1), np.int16, halved)
    assert values(decode_files(listed(folder), folder, half)) == [i // 2 for i in GOOD]
    assert values(decode_files(listed(folder), folder, numbers.decoder)) == GOOD
    assert len(list(cache.iterdir())) == 2


def test_a_decoder_that_breaks_its_word_is_found_out(folder: Path, numbers: Numbers) -> None:
    wrong = Decoder("wrong", (1, 4), np.int16, numbers.decode)
    with pytest.raises(TypeError, match=r"wrong: .*a00 gave int16 \(1, 3\)"):
        decode_files(listed(folder), folder, wrong)


def test_too_little_disk_is_known_in_advance(
    folder: Path, numbers: Numbers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: DiskUsage(100, 1, 99))
    message = r"cache/data-\w+: the decoded clips need 120 more bytes, but only 99.*CONVSCOPE_CACHE"
    with pytest.raises(UserError, match=message):
        decode_files(listed(folder), folder, numbers.decoder)
    assert numbers.asked == []


def test_what_a_killed_build_left_is_removed_before_the_disk_is_measured(
    folder: Path, cache: Path, numbers: Numbers, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = cache_folder(folder, numbers.decoder) / "clips.tmp"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    free = {True: 0, False: 1000}
    monkeypatch.setattr("shutil.disk_usage", lambda _: DiskUsage(0, 0, free[left.exists()]))
    assert values(decode_files(listed(folder), folder, numbers.decoder)) == GOOD


def test_a_disk_that_becomes_full_is_named(
    folder: Path, cache: Path, numbers: Numbers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"data-\w+: the disk became full.*CONVSCOPE_CACHE"):
        decode_files(listed(folder), folder, numbers.decoder)
    assert not list(cache.rglob("*.tmp"))


def test_a_cache_that_cannot_be_made_is_named(folder: Path, numbers: Numbers, cache: Path) -> None:
    cache.write_text("a file stands in the way")
    with pytest.raises(
        UserError, match=r"cache/data-\w+ cannot be written \(Not a dir.*CONVSCOPE_CACHE"
    ):
        decode_files(listed(folder), folder, numbers.decoder)


def test_where_the_cache_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVSCOPE_CACHE", "/a")
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    monkeypatch.setenv("HOME", "/c")
    assert cache_root() == Path("/a")
    monkeypatch.delenv("CONVSCOPE_CACHE")
    assert cache_root() == Path("/b/convscope")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_root() == Path("/c/.cache/convscope")


def test_one_folder_reached_by_two_ways_has_one_cache(
    folder: Path, tmp_path: Path, numbers: Numbers
) -> None:
    (tmp_path / "link").symlink_to(folder)
    assert cache_folder(tmp_path / "link", numbers.decoder) == cache_folder(folder, numbers.decoder)
