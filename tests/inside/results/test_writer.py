"""Results come as arrays that say what they are, as pictures and as sounds."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from matplotlib.figure import Figure

from convscope.inside.results.writer import Result, ResultWriter, axis


def test_an_array_says_its_axes_and_units_in_both_files(tmp_path: Path) -> None:
    values = np.array([[1.0, 2.5, -3.0], [0.0, 1e-9, 4.0]])
    result = Result(
        values, (axis("unit", ["a", "b"]), axis("frequency", [0, 100, 200], "Hz")), "gain", "dB"
    )
    writer = ResultWriter(tmp_path / "look")
    writer.array("response", result)
    with np.load(tmp_path / "look" / "response.npz") as arrays:
        assert np.array_equal(arrays["values"], values)
        assert arrays["frequency"].tolist() == [0, 100, 200]
        assert json.loads(str(arrays["about"])) == {
            "values": {"name": "gain", "unit": "dB"},
            "axes": [{"name": "unit", "unit": ""}, {"name": "frequency", "unit": "Hz"}],
        }
    with (tmp_path / "look" / "response.csv").open() as file:
        head, *rows = csv.reader(file)
    assert head == ["unit", *(f"frequency (Hz) {each}" for each in (0, 100, 200))]
    assert rows[1][0] == "b"
    assert [float(each) for each in rows[1][1:]] == [0, 1e-9, 4]
    assert [path.name for path in writer.made] == ["response.npz", "response.csv"]


def test_axes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"gain: axes of \(2,\), values of \(3,\)"):
        Result(np.zeros(3), (axis("unit", [0, 1]),), "gain")


def test_a_sound_is_what_it_was_and_no_louder_than_full_scale(tmp_path: Path) -> None:
    wave = np.array([0.0, 0.5, -0.25, 3.0])
    ResultWriter(tmp_path).sound("beep", wave, 8000)
    samples, rate_hz = soundfile.read(tmp_path / "beep.wav")
    assert rate_hz == 8000
    assert samples == pytest.approx([0, 0.5, -0.25, 1], abs=1e-4)


def test_a_table_without_rows_is_an_empty_table(tmp_path: Path) -> None:
    ResultWriter(tmp_path).table("dead", [])
    assert json.loads((tmp_path / "dead.json").read_text()) == []


def test_the_svg_is_laid_out_as_the_png(tmp_path: Path) -> None:
    figure = Figure(layout="constrained")
    axes = figure.add_subplot(ylabel="a\nlabel\nof\nmany\nlines")
    ResultWriter(tmp_path).figure("plot", figure)
    left = axes.get_position().x0
    assert left > 0.15
    svg = (tmp_path / "plot.svg").read_text()
    frame = re.search(r'id="patch_2">\s*<path d="M ([\d.]+)', svg)
    assert frame is not None
    assert float(frame[1]) == pytest.approx(left * 72 * figure.get_figwidth(), abs=0.01)
