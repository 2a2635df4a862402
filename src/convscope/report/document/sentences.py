"""Sentences from numbers, in the words of a catalogue: each says what the numbers bear, no more.

Two intervals that overlap, or a test above 0.05, give the sentence that no difference is shown.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from convscope.inside.compare.disagreement import McNemar
from convscope.names import visible
from convscope.report.document.catalogue import Catalogue
from convscope.report.document.groups import named
from convscope.report.document.pairs import ALPHA, ConfusionPair
from convscope.scores.board_table import n_seeds
from convscope.scores.brain import BrainRow
from convscope.scores.intervals import Interval, wilson
from convscope.scores.rows import BoardRow


def accuracy_text(value: float) -> str:
    """Four digits, as the reports print them."""
    return f"{value:.4f}"


def interval_text(interval: tuple[float, float]) -> str:
    """Both ends."""
    return f"{interval[0]:.4f}–{interval[1]:.4f}"


def count_text(value: int | None) -> str:
    """A whole number with its thousands apart."""
    return "–" if value is None else f"{value:,}"


def p_text(p: float) -> str:
    """A probability with its sign: = 0.032, or < 0.0001."""
    return "< 0.0001" if p < 0.0001 else f"= {p:.2g}"


def overlap(one: tuple[float, float], two: tuple[float, float]) -> bool:
    """Whether two intervals share a point."""
    return one[0] <= two[1] and two[0] <= one[1]


def best_sentence(say: Catalogue, net: BoardRow, rows: Sequence[BoardRow]) -> str:
    """The best network: its accuracy, how sure that is, its size."""
    assert net.accuracy is not None
    assert net.interval is not None
    seeds = n_seeds(net)
    return say.say(
        "sentence.best_of_seeds" if seeds > 1 else "sentence.best",
        net=named(net, rows),
        accuracy=accuracy_text(net.accuracy),
        interval=interval_text(net.interval),
        params=count_text(net.params),
        n=seeds,
    )


def lead_sentence(say: Catalogue, nets: Sequence[BoardRow]) -> str:
    """Whether the best network is ahead of the second by more than its uncertainty."""
    if len(nets) < 2:
        return say.say("sentence.alone")
    first, second = nets[:2]
    assert first.interval is not None
    assert second.interval is not None
    same = overlap(first.interval, second.interval)
    return say.say(
        "sentence.lead_not_shown" if same else "sentence.lead",
        second=named(second, nets),
        first_interval=interval_text(first.interval),
        second_interval=interval_text(second.interval),
    )


def smallest_sentence(say: Catalogue, nets: Sequence[BoardRow]) -> str:
    """The smallest network whose interval overlaps with that of the best."""
    small = smallest_as_good(nets)
    assert small.accuracy is not None
    if small is nets[0]:
        return say.say("sentence.smallest_is_best")
    return say.say(
        "sentence.smallest",
        net=named(small, nets),
        params=count_text(small.params),
        accuracy=accuracy_text(small.accuracy),
        share=f"{(small.params or 0) / (nets[0].params or 1):.0%}",
    )


def smallest_as_good(nets: Sequence[BoardRow]) -> BoardRow:
    """Of the networks no difference of which to the best is shown, the one of fewest parameters."""
    best = nets[0].interval
    assert best is not None
    as_good = [net for net in nets if net.interval and overlap(best, net.interval)]
    return min(as_good, key=lambda net: (net.params or 0, -(net.accuracy or 0)))


def mcnemar_sentence(say: Catalogue, test: McNemar, one: str, two: str) -> str:
    """Which of two nets is right more often on the same clips, or that none is shown to be."""
    values = {
        "one": one,
        "two": two,
        "only_one": count_text(test.only_one),
        "only_two": count_text(test.only_two),
        "p": p_text(test.p),
    }
    if test.p >= ALPHA:
        return say.say("sentence.mcnemar_not_shown", **values)
    better = one if test.only_one > test.only_two else two
    return say.say("sentence.mcnemar", better=better, **values)


def pair_sentence(say: Catalogue, pair: ConfusionPair, one: str, two: str, n_pairs: int) -> str:
    """What two nets confuse, how often each, and whether they differ by more than chance."""
    return say.say(
        "sentence.pair" if pair.p < ALPHA else "sentence.pair_not_shown",
        actual=visible(pair.actual),
        predicted=visible(pair.predicted),
        n=count_text(pair.n),
        one=one,
        two=two,
        n_one=count_text(pair.one),
        n_two=count_text(pair.two),
        p=p_text(pair.p),
        n_pairs=n_pairs,
    )


def record_sentence(
    say: Catalogue, accuracy: float, interval: Interval, before: float, past: tuple[float, float]
) -> str:
    """Whether the record of last time is broken, and whether by more than the uncertainty."""
    values = {"accuracy": accuracy_text(accuracy), "before": accuracy_text(before)}
    if accuracy <= before:
        return say.say("sentence.record_stands", **values)
    name = "sentence.record_not_shown" if overlap(interval, past) else "sentence.record"
    return say.say(name, interval=interval_text(interval), past=interval_text(past), **values)


def brain_sentence(say: Catalogue, best: BrainRow) -> str:
    """Whether the best net of a study predicts the brain better than what needs no net does."""
    brain = best.brain
    interval = best.interval or brain.interval
    is_shown = interval[0] > brain.control_score
    return say.say(
        "sentence.brain" if is_shown else "sentence.brain_not_shown",
        study=visible(brain.study),
        net=best.row.run,
        score=f"{brain.score:.3f}",
        interval=f"{interval[0]:.3f}–{interval[1]:.3f}",
        layer=brain.layer,
        control=brain.control,
        control_score=f"{brain.control_score:.3f}",
    )


def weakest_class_sentence(say: Catalogue, classes: Sequence[Mapping[str, Any]]) -> str | None:
    """Which class the best net knows least, with the interval of its recall."""
    known = [each for each in classes if each["recall"] is not None]
    if len(known) < 2:
        return None
    order = sorted(known, key=lambda each: float(each["recall"]))
    intervals = [_recall_interval(each) for each in (order[0], order[-1])]
    return say.say(
        "sentence.weakest_not_shown" if overlap(*intervals) else "sentence.weakest",
        name=visible(order[0]["name"]),
        recall=f"{order[0]['recall']:.3f}",
        interval=f"{intervals[0][0]:.3f}–{intervals[0][1]:.3f}",
        best=visible(order[-1]["name"]),
        best_interval=f"{intervals[1][0]:.3f}–{intervals[1][1]:.3f}",
    )


def _recall_interval(each: Mapping[str, Any]) -> Interval:
    return wilson(round(each["recall"] * each["support"]), each["support"])
