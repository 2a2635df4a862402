"""Clips dealt to parts: exact shares, whole groups."""

import doctest
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convscope.data.splitting import division as module
from convscope.data.splitting.division import dealt, in_turn, rounded

SHARES = [0.8, 0.1, 0.1]


@pytest.mark.parametrize(
    ("n", "sizes"),
    [(40, [32, 4, 4]), (48, [38, 5, 5]), (5, [3, 1, 1]), (3, [1, 1, 1]), (1, [1, 0, 0])],
)
def test_a_number_is_parted_by_the_largest_remainder(n: int, sizes: list[int]) -> None:
    assert rounded(n, SHARES) == sizes


def test_every_class_has_its_exact_share() -> None:
    classes = ["cat"] * 40 + ["dog"] * 100
    parts = dealt(classes, [f"clip{i}" for i in range(140)], SHARES)
    assert Counter(parts[:40]) == {0: 32, 1: 4, 2: 4}
    assert Counter(parts[40:]) == {0: 80, 1: 10, 2: 10}


def test_names_alone_decide_and_not_their_order() -> None:
    names = [f"clip{i}" for i in range(60)]
    classes = ["ab"[i % 2] for i in range(60)]
    parts = dict(zip(names, dealt(classes, names, SHARES), strict=True))
    again = dict(zip(names[::-1], dealt(classes[::-1], names[::-1], SHARES), strict=True))
    assert parts == again


def test_six_speakers_who_say_everything_are_dealt_four_one_one() -> None:
    groups = [speaker for speaker in "abcdef" for _ in range(20)]
    parts = dealt([i % 10 for i in range(120)], groups, SHARES)
    assert Counter(parts) == {0: 80, 1: 20, 2: 20}


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("uvwxyz")), min_size=1, max_size=60)
)
def test_no_group_is_divided_whatever_there_is(clips: list[tuple[str, str]]) -> None:
    classes, groups = [c for c, _ in clips], [g for _, g in clips]
    parts = dealt(classes, groups, [0.5, 0.25, 0.25])
    if len(set(groups)) < len(groups):
        assert len(set(zip(groups, parts, strict=True))) == len(set(groups))


def test_groups_of_one_class_reach_every_part_although_they_are_few() -> None:
    groups = [f"{label}{i}" for label in "ab" for i in range(3) for _ in range(7)]
    parts = dealt([group[0] for group in groups], groups, SHARES)
    assert {(group[0], part) for group, part in zip(groups, parts, strict=True)} == {
        (label, part) for label in "ab" for part in range(3)
    }


def test_folds_of_groups_are_as_even_as_a_search_finds_them() -> None:
    rng = np.random.default_rng(0)
    sizes = rng.integers(5, 30, 12)
    groups = [f"g{i}" for i, size in enumerate(sizes) for _ in range(size)]
    counts = np.bincount(dealt([0] * len(groups), groups, [0.25] * 4), minlength=4)
    trials = (np.bincount(rng.integers(0, 4, 12), sizes, minlength=4) for _ in range(3000))
    assert counts.max() - counts.min() <= 2 * min(trial.max() - trial.min() for trial in trials) + 4


def test_folds_in_turn_differ_by_one_clip_in_all_and_in_each_class() -> None:
    classes = [label for label, n in (("a", 11), ("b", 7), ("c", 23)) for _ in range(n)]
    parts = in_turn(classes, [f"clip{i}" for i in range(41)], 5)
    for label in ("a", "b", "c"):
        own = Counter(p for p, c in zip(parts, classes, strict=True) if c == label)
        assert max(own.values()) - min(own[p] for p in range(5)) <= 1
    assert max(Counter(parts).values()) - min(Counter(parts).values()) <= 1


def test_its_example_runs() -> None:
    assert doctest.testmod(module).failed == 0
