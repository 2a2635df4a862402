"""What the figures bear, in sentences; where an interval holds 0, that no difference is shown."""

import numpy as np
from numpy.typing import NDArray

from convscope.brain.results.scores import Difference, EncodingScores, UniqueVariance
from convscope.brain.results.similarity import RsaScores

Scores = NDArray[np.float64]

KINDS = {"trained", "untrained", "untrained_calibrated", "permuted"}


def answer(scores: EncodingScores) -> str:
    """Whether the net predicts the responses better than what needs no net."""
    net, control = scores.trained, scores.space(scores.control)
    if net is None:
        return (
            f"{control.name} predicts held-out {scores.unit} with r {_mean(control.r)} (mean over "
            f"{_n(len(scores.targets), 'target')}); no net was held against it."
        )
    gap = next(each for each in scores.differences if each.over == scores.control)
    figures = (
        f"layer chosen within the training folds, mostly {net.layer}: r {_mean(net.r)} beside "
        f"{_mean(control.r)}; difference {_signed(gap.mean)}, {_interval(gap)}, over "
        f"{scores.n_samples:,} {scores.unit}"
    )
    if _above(gap):
        return f"{scores.net} predicts these responses better than {control.name} ({figures})."
    if _below(gap):
        return (
            f"No: {scores.net} predicts these responses worse than {control.name}, which needs no "
            f"net ({figures})."
        )
    return (
        f"No difference is shown between {scores.net} and {control.name}, which needs no net "
        f"({figures})."
    )


def by_target(scores: EncodingScores) -> str:
    """For which targets the net is better than the control, if for any."""
    gap = next((each for each in scores.differences if each.over == scores.control), None)
    if gap is None or len(scores.targets) > 40:
        return ""
    low, high = gap.by_target_interval
    better = [name for name, each in zip(scores.targets, low, strict=True) if each > 0]
    worse = [name for name, each in zip(scores.targets, high, strict=True) if each < 0]
    parts = []
    if better:
        parts.append(f"it is better for {_list(better)}")
    if worse:
        parts.append(f"worse for {_list(worse)}")
    rest = len(scores.targets) - len(better) - len(worse)
    if rest:
        parts.append(f"no difference is shown for {rest} of {len(scores.targets)}")
    text = "; ".join(parts)
    return f"Target by target (95 % intervals, not corrected for their number): {text}."


def learned(scores: EncodingScores) -> str:
    """Whether training made the net more like the brain than its architecture is."""
    gaps = [each for each in scores.differences if each.over in KINDS]
    if not gaps:
        return "No untrained net could be made of this architecture to compare with."
    words = {
        "untrained": "the same architecture untrained",
        "untrained_calibrated": "the same untrained with its norms calibrated on the stimuli",
    }
    said = []
    for gap in gaps:
        figures = f"({_signed(gap.mean)}, {_interval(gap)})"
        if _above(gap):
            said.append(f"better than {words[gap.over]} {figures}")
        elif _below(gap):
            said.append(f"worse than {words[gap.over]} {figures}")
        else:
            said.append(f"no differently, as far as is shown, than {words[gap.over]} {figures}")
    return f"The trained net predicts {_list(said)}."


def adds(part: UniqueVariance, targets: tuple[str, ...]) -> str:
    """What the layer explains that the control does not."""
    low, _ = part.unique_net_interval
    found = [
        f"{name} ({value:.2f}, {a:.2f} to {b:.2f})"
        for name, value, a, b in zip(
            targets, part.unique_net, *part.unique_net_interval, strict=True
        )
        if a > 0
    ]
    if not found:
        return (
            f"Beyond {part.control}, {part.layer} is not shown to explain anything (unique R², "
            f"greatest {np.nanmax(part.unique_net):.2f})."
        )
    if len(found) > 12:
        return (
            f"Beyond {part.control}, {part.layer} explains something in {len(found):,} of "
            f"{len(targets):,} targets (median unique R² there "
            f"{np.nanmedian(part.unique_net[low > 0]):.2f})."
        )
    return f"Beyond {part.control}, {part.layer} explains some of {_list(found)} (unique R², 95 %)."


def choice_cost(scores: EncodingScores) -> str:
    """What picking the layer on the test would have claimed."""
    net = scores.trained
    if net is None:
        return ""
    return (
        f"Picking the best layer on the test itself would have claimed r {_mean(net.best_on_test)} "
        f"in place of {_mean(net.r)}."
    )


def ceiling_words(scores: EncodingScores) -> str:
    """The noise ceiling, or why there is none."""
    ceiling = scores.ceiling
    if ceiling.lower is None or ceiling.upper is None:
        return f"Noise ceiling: {ceiling.how}."
    low, high = float(np.nanmean(ceiling.lower)), float(np.nanmean(ceiling.upper))
    value = f"r {low:.2f}" + (f" to {high:.2f}" if high > low else "")
    return f"Noise ceiling {ceiling.how}: {value}, mean over targets."


def rsa_words(rsa: RsaScores) -> str:
    """Which space is most alike the brain, with the scaling that decides it."""
    best = {
        kind: max(
            (each for each in rsa.similarities if (each.role == "trained") == (kind == "net")),
            key=lambda each: each.value,
            default=None,
        )
        for kind in ("net", "control")
    }
    net, control = best["net"], best["control"]
    scaled = "each feature scaled to standard deviation 1" if rsa.scaling == "z" else "unscaled"
    how = f"{rsa.comparison} of {rsa.distance} dissimilarities, {scaled}, {rsa.n_stimuli} stimuli"
    if control is None:
        return ""
    name = control.name if control.role not in KINDS else f"{control.name} {control.role}"
    words = f"{name} {control.value:.2f} ({control.interval[0]:.2f} to {control.interval[1]:.2f})"
    if net is None:
        return f"RSA: {words}; {how}."
    own = f"{net.name} {net.value:.2f} ({net.interval[0]:.2f} to {net.interval[1]:.2f})"
    if net.interval[0] > control.interval[1]:
        verdict = "the net is closer to the brain than every control"
    elif net.interval[1] < control.interval[0]:
        verdict = "a control is closer to the brain than every layer of the net"
    else:
        verdict = "no difference is shown between the best layer and the best control"
    return f"RSA: {verdict}: {own}, {words}; {how}. Both were picked on these stimuli."


def _above(gap: Difference) -> bool:
    return gap.interval[0] > 0


def _below(gap: Difference) -> bool:
    return gap.interval[1] < 0


def _mean(values: Scores) -> str:
    return f"{float(np.nanmean(values)):.2f}"


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _interval(gap: Difference) -> str:
    return f"95 % {_signed(gap.interval[0])} to {_signed(gap.interval[1])}"


def _list(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _n(n: int, noun: str) -> str:
    return f"{n:,} {noun}" + "s" * (n != 1)
