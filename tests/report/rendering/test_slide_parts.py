"""Texts and tables of slides are measured, so that none overflows."""

from convscope.report.rendering.slide_parts import chunks, fitting, n_lines, table_sizes, width_of


def test_texts_are_measured_to_fit() -> None:
    long = "a sentence of some words that goes on " * 20
    size = fitting([(long, "")], 400, 200, 20)
    assert size * 1.25 * n_lines(long, size, 400) + size / 2 <= 200
    assert n_lines("w" * 50, 10, width_of("w", 10) * 10 + 0.01) == 5
    assert n_lines("one", 10, 400) == 1


def test_a_wide_table_is_set_smaller_until_it_fits() -> None:
    rows = [["a long cell of words"] * 8] * 6
    size, widths = table_sizes(rows)
    assert sum(widths) <= 880.001
    assert size < 14
    assert [len(each) for each in chunks(list(range(37)), 18)] == [12, 12, 13]
