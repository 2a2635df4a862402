"""What is left out together."""

import numpy as np
import pytest
from sklearn.model_selection import KFold

from convscope.brain.encoding.draws import block_draws, run_draws, stimulus_draws
from convscope.brain.encoding.folds import block_folds, run_folds, stimulus_folds
from convscope.errors import UserError


def test_without_repeated_content_folds_are_those_of_scikit_learn() -> None:
    theirs = KFold(4, shuffle=True, random_state=3).split(np.arange(21))
    for fold, (train, test) in zip(stimulus_folds(list(range(21)), 4, 3), theirs, strict=True):
        assert fold.train.tolist() == train.tolist()
        assert fold.test.tolist() == test.tolist()


def test_a_stimulus_under_two_names_never_stands_on_both_sides() -> None:
    contents = [f"sound{i // 2}" for i in range(40)]
    for draw in stimulus_draws(contents, 5, 3, seed=0):
        assert not draw.one_out  # leaving out one of a pair would leave the other in
        for fold, inner in zip(draw.folds, draw.inner, strict=True):
            sides = [{contents[i] for i in side} for side in (fold.train, fold.test)]
            assert not sides[0] & sides[1]
            for each in inner:
                own = [contents[i] for i in fold.train]
                assert not {own[i] for i in each.train} & {own[i] for i in each.test}


def test_as_many_folds_as_stimuli_are_refused_and_the_reason_told() -> None:
    with pytest.raises(UserError, match=r"got 6 folds for 6: .* at r -1"):
        stimulus_folds(list("abcdef"), 6, 0)


def test_leaving_one_out_a_predictor_of_the_mean_correlates_at_minus_one() -> None:
    y = np.random.default_rng(0).normal(size=30)
    predicted = (y.sum() - y) / 29
    assert np.corrcoef(predicted, y)[0, 1] == pytest.approx(-1)


def test_runs_are_left_out_with_those_that_repeat_them() -> None:
    runs, repeats = np.repeat([0, 1, 2], 4), np.repeat([0, 1, 0], 4)
    folds = run_folds(runs, repeats)
    assert [fold.test.tolist() for fold in folds] == [[0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7]]
    with pytest.raises(UserError, match=r"at least two runs of different stimuli, got one"):
        run_folds(np.zeros(10), None)


def test_volumes_beside_a_block_are_in_neither_side_but_gaps_end_at_a_runs_border() -> None:
    runs = np.repeat([0, 1], 30)
    first, *_ = block_folds(runs, 6, gap=4)
    assert first.test.tolist() == list(range(10))
    assert first.train.tolist() == list(range(14, 60))
    third = block_folds(runs, 6, gap=4)[2]  # volumes 20 to 29: run 1 begins right behind
    assert third.train.tolist() == [*range(16), *range(30, 60)]
    with pytest.raises(UserError, match=r"a gap of 40 at each side leave too little"):
        block_folds(runs[:60], 3, gap=40)


def test_inner_folds_see_nothing_of_the_outer_test() -> None:
    for draw in (block_draws(np.zeros(60), 5, 3)[0], run_draws(np.repeat([0, 1, 2], 20))[0]):
        for fold, inner in zip(draw.folds, draw.inner, strict=True):
            assert inner
            for each in inner:
                assert max(each.train.max(), each.test.max()) < len(fold.train)
                assert not set(each.train) & set(each.test)


def test_smooth_noise_predicts_shuffled_volumes_and_not_contiguous_blocks() -> None:
    from convscope.brain.encoding.encode import Draw, encode

    rng = np.random.default_rng(0)
    smooth = np.apply_along_axis(
        lambda x: np.convolve(x, np.hanning(13), "same"), 0, rng.normal(size=(300, 24))
    )
    features, responses = smooth[:, :20], smooth[:, 20:]
    grid = np.logspace(-2, 3, 6)
    shuffled = stimulus_folds(list(range(300)), 6, 0)
    careless = Draw(shuffled, ((),) * 6, one_out=True)
    assert encode(features, responses, [careless], grid).r(responses).mean() > 0.35
    honest = block_draws(np.zeros(300), 6, 10)
    assert abs(encode(features, responses, honest, grid).r(responses).mean()) < 0.15
