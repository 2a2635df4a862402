"""A CSV that lists sounds."""

from pathlib import Path

import pytest

from convscope.data.manifest import list_manifest
from convscope.data.splits import hashed_split
from convscope.errors import UserError


def manifest(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "manifest.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_say_path_label_and_split(tmp_path: Path) -> None:
    path = manifest(
        tmp_path,
        'path,label,split,note\na/1.wav,dog,train,\n"b, c.wav",cat,val,x\n../d.wav,cat,Test,\n',
    )
    files = list_manifest(path)
    assert [(f.id, f.label, f.split) for f in files] == [
        ("a/1.wav", "dog", "train"),
        ("b, c.wav", "cat", "validation"),
        ("../d.wav", "cat", "test"),
    ]
    assert files[2].path == tmp_path / "../d.wav"


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
        ("path,label\na,b\na,c\n", "lists a twice: expected each file once"),
    ],
)
def test_a_wrong_manifest_is_refused_by_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        list_manifest(manifest(tmp_path, text))


def test_a_manifest_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    path.write_bytes(b"\xff\xfe\x00path")
    with pytest.raises(UserError, match=r"manifest\.csv is no CSV in UTF-8"):
        list_manifest(path)
    with pytest.raises(UserError, match="cannot be read"):
        list_manifest(tmp_path / "absent.csv")
