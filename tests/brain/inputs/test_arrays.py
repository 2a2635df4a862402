"""Files of arrays, names and columns, whole and damaged."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from convscope.brain.inputs.arrays import (
    column_of_numbers,
    numbers,
    read_array,
    read_names,
    read_table,
    single,
)
from convscope.errors import UserError


def test_names_of_matlab_s_cells_and_of_bytes_are_texts(tmp_path: Path) -> None:
    names = ("dog", "Flöte")
    savemat(tmp_path / "cells.mat", {"names": np.array(names, dtype=object)})
    np.savez(tmp_path / "bytes.npz", names=np.array([name.encode() for name in names]))
    (tmp_path / "lines.txt").write_text("dog\nFlöte\n", encoding="utf-8-sig")
    for reference in ("cells.mat:names", "bytes.npz:names", "lines.txt"):
        assert read_names(reference, tmp_path, "x") == names, reference


def test_arrays_in_the_order_of_fortran_and_empty_ones_are_read(tmp_path: Path) -> None:
    values = np.arange(6.0).reshape(2, 3)
    np.savez_compressed(tmp_path / "a.npz", f=np.asfortranarray(values), e=np.zeros((0, 3)))
    assert (read_array("a.npz:f", tmp_path, "x") == values).all()
    empty = read_array("a.npz:e", tmp_path, "x")
    with pytest.raises(UserError, match=r"x: a.npz:e is empty: its shape is \(0, 3\)"):
        numbers(empty, "a.npz:e", "x")


def test_a_header_of_more_than_there_is_is_refused_before_room_is_made(tmp_path: Path) -> None:
    for shape, words in (((24, 10**7), "claims 960,000,000 bytes"), ((-2, -3), r"\(-2, -3\)")):
        with (
            zipfile.ZipFile(tmp_path / "z.npz", "w", zipfile.ZIP_DEFLATED) as archive,
            archive.open("v.npy", "w") as file,
        ):
            header = {"descr": "<f4", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            file.write(bytes(100))
        with pytest.raises(UserError, match=f"{words}.* cut short or damaged"):
            read_array("z.npz:v", tmp_path, "x")


def test_two_columns_of_one_heading_are_refused_and_never_merged(tmp_path: Path) -> None:
    path = tmp_path / "v.csv"
    path.write_text("a,b,a\n1,2,3\n")
    with pytest.raises(UserError, match=r"v.csv has a as the heading of two columns"):
        read_table(path, "x")
    path.write_text("1,1,2\n3,4,5\n")  # no headings: equal numbers in the first line are none
    assert read_array("v.csv", tmp_path, "x").tolist() == [[1, 1, 2], [3, 4, 5]]


def test_infinity_is_no_number_of_a_column(tmp_path: Path) -> None:
    assert np.isnan(column_of_numbers(["n/a", ""], tmp_path, "onset", "x")).all()
    with pytest.raises(UserError, match=r"line 3, onset: expected a number, got '-inf'"):
        column_of_numbers(["1", "-inf"], tmp_path, "onset", "x")


def test_what_float32_cannot_hold_becomes_infinite_and_no_warning() -> None:
    assert np.isinf(single(np.array([1e300]))).all()


def test_a_design_of_fsl_is_read_and_an_empty_one_refused(tmp_path: Path) -> None:
    (tmp_path / "d.mat").write_text("/NumWaves 2\n/NumPoints 2\n\n/Matrix\n1 2\n3 4e-1\t\n")
    assert read_array("d.mat", tmp_path, "x").tolist() == [[1, 2], [3, 0.4]]
    (tmp_path / "d.mat").write_text("/NumWaves 2\n")
    with pytest.raises(UserError, match=r"d.mat has no numbers behind /Matrix"):
        read_array("d.mat", tmp_path, "x")
