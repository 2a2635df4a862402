"""A CSV that lists sounds."""

from pathlib import Path

import pytest

from convscope.data.listing.manifest import list_manifest
from convscope.data.listing.splits import hashed_split
from convscope.errors import UserError


def manifest(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "manifest.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_say_path_label_and_split(tmp_path: Path) -> None:
    path = manifest(
        tmp_path,
        'path,label,split,note\na/1.wav,dog,train,\n"b, c.wav",cat,val,x\nx/../d.wav,cat,Test,\n',
    )
    files = list_manifest(path)
    assert [(f.id, f.label, f.split) for f in files] == [
        ("a/1.wav", "dog", "train"),
        ("b, c.wav", "cat", "validation"),
        ("x/../d.wav", "cat", "test"),
    ]
    assert files[2].path == tmp_path / "x/../d.wav"


def test_a_byte_order_mark_from_excel_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    assert len(list_manifest(manifest(tmp_path, "\ufeffpath,label\na.wav,dog\n"))) == 1


def test_without_splits_a_hash_of_the_name_decides(tmp_path: Path) -> None:
    rows = "".join(f"x/{i}.wav,dog\n" for i in range(60))
    files = list_manifest(manifest(tmp_path, f"path,label\n{rows}"))
    assert [f.split for f in files] == [hashed_split(str(i)) for i in range(60)]


def test_one_held_out_part_is_the_test_set(tmp_path: Path) -> None:
    rows = "".join(f"{i}.wav,dog,train\n" for i in range(100))
    files = list_manifest(manifest(tmp_path, f"path,label,split\nx.wav,dog,valid\n{rows}"))
    assert files[0].split == "test"
    assert {f.split for f in files[1:]} == {"train", "validation"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label\n", r"no column 'path': expected .*path, label and split, got file, label"),
        ("", "no column 'path'.*got an empty file"),
        ("path,label\na.wav,\n", r"line 2 of .*manifest\.csv has no label"),
        ("path,label\n,dog\n", "line 2 of .* has no path"),
        ("path,label,split\na,b,train\nc,d,dev\n", "line 3 of .* validation or test, got 'dev'"),
        ("path,label\na,b\na,c\n", r"lists a twice, in lines 2 and 3: expected each file once"),
    ],
)
def test_a_wrong_manifest_is_refused_by_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        list_manifest(manifest(tmp_path, text))


def put(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


@pytest.mark.parametrize(
    "other",
    ["./one/f.wav", "one//f.wav", "two/../one/f.wav", "link/f.wav", "soft.wav", "hard.wav", "{}"],
)
def test_a_file_is_the_same_however_it_is_written(tmp_path: Path, other: str) -> None:
    put(tmp_path, "one/f.wav", "two/g.wav")
    (tmp_path / "link").symlink_to("one")
    (tmp_path / "soft.wav").symlink_to(tmp_path / "one" / "f.wav")
    (tmp_path / "hard.wav").hardlink_to(tmp_path / "one" / "f.wav")
    other = other.format(tmp_path / "one" / "f.wav")
    path = manifest(tmp_path, f"path,label,split\none/f.wav,a,train\n{other},a,test\n")
    with pytest.raises(UserError) as caught:
        list_manifest(path)
    assert str(caught.value).endswith(
        f"lists {other} twice, in lines 2 and 3 (there as one/f.wav): "
        "expected each file once, with one label and one split"
    )


def test_accents_are_found_as_the_disk_spells_them(tmp_path: Path) -> None:
    nfc, nfd = "caf\u00e9/x.wav", "cafe\u0301/x.wav"
    put(tmp_path, nfd)
    path = manifest(tmp_path, f"path,label,split\n{nfc},a,train\n")
    assert [(file.id, file.path.is_file()) for file in list_manifest(path)] == [(nfd, True)]
    both = manifest(tmp_path, f"path,label,split\n{nfc},a,train\n{nfd},a,test\n")
    with pytest.raises(UserError, match="twice, in lines 2 and 3"):
        list_manifest(both)


@pytest.mark.parametrize("name", ["../out/f.wav", "{}/out/f.wav", "soft.wav", "link/f.wav", "."])
def test_no_row_leads_out_of_the_folder_of_the_list(tmp_path: Path, name: str) -> None:
    put(tmp_path, "out/f.wav", "in/f.wav")
    (tmp_path / "in" / "soft.wav").symlink_to(tmp_path / "out" / "f.wav")
    (tmp_path / "in" / "link").symlink_to(tmp_path / "out")
    path = manifest(tmp_path / "in", f"path,label\nf.wav,a\n{name.format(tmp_path)},a\n")
    with pytest.raises(UserError, match=r"^data\.folder: line 3 of .* leads to .*, out of"):
        list_manifest(path)


def test_the_folder_of_a_list_may_itself_be_a_link(tmp_path: Path) -> None:
    put(tmp_path, "disk/f.wav")
    (tmp_path / "data").symlink_to("disk")
    path = manifest(tmp_path / "data", f"path,label\n{tmp_path}/disk/f.wav,a\n")
    assert len(list_manifest(path)) == 1


def test_files_that_are_not_there_are_left_to_the_decoder(tmp_path: Path) -> None:
    path = manifest(tmp_path, "path,label\ngone/a.wav,a\ngone/b.wav,a\n")
    assert [file.id for file in list_manifest(path)] == ["gone/a.wav", "gone/b.wav"]


def test_a_manifest_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    path.write_bytes(b"\xff\xfe\x00path")
    with pytest.raises(UserError, match=r"manifest\.csv is no CSV in UTF-8"):
        list_manifest(path)
    with pytest.raises(UserError, match="cannot be read"):
        list_manifest(tmp_path / "absent.csv")
