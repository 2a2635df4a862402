"""What to try next: cells of the grid that are missing, edges of the grid, seeds too few."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import ceil
from typing import Any

from convscope.errors import UserError
from convscope.models.describe import describe
from convscope.report.document.blocks import Command
from convscope.report.document.catalogue import Catalogue
from convscope.report.document.groups import Group, Planned, folder_of, named
from convscope.report.document.sentences import overlap
from convscope.run import CONFIG
from convscope.scores.board_table import n_seeds
from convscope.scores.network import differing, flat, settings
from convscope.scores.rows import BoardRow
from convscope.training.cell import make_cell

MOST_CELLS = 12
MOST_SEEDS = 10
POWER_FACTOR = 2 * (1.96 + 0.84) ** 2
"""Two means of n values each, of standard deviation s, whose true difference is d: found at 5 % in
80 % of the cases with n = 2 (1.96 + 0.84)² s² / d² (J. Cohen, Statistical Power Analysis, 1988)."""


@dataclass(frozen=True)
class Edge:
    """An axis whose best value is the least or the largest that was tried, and what to try then."""

    key: str
    best: float
    is_largest: bool
    try_next: float


def next_steps(say: Catalogue, group: Group) -> list[Command]:
    """What the results leave open, each with the command that would run it."""
    return [
        *missing_cells(say, group),
        *edge_commands(say, group),
        *seed_commands(say, group),
    ]


def axes_of(nets: Sequence[BoardRow]) -> dict[str, list[Any]]:
    """The settings in which networks differ, each with the values that were tried, in order."""
    own = [flat(row.config) for row in nets]
    keys = [key for key in differing([settings(row) for row in nets]) if key in own[0]]
    return {key: _in_order({_hashable(each.get(key)) for each in own}) for key in keys}


def missing_cells(say: Catalogue, group: Group) -> list[Command]:
    """Cells of a sweep that are not done, then those of the crossing of all axes that no run is of.

    Seeds are no axis here: a network that one seed is of is not missing. Runs that are no grid,
    of whose crossing less than half is there, have no missing cells.
    """
    planned = [_planned(say, group, each) for each in group.planned]
    axes = axes_of(group.nets)
    configs = [row.config for row in group.rows] + [each.config for each in group.planned]
    tried = {_point(flat(config), axes) for config in configs}
    points = [point for point in product(*axes.values()) if point not in tried] if axes else []
    if len(points) > len(tried):
        return planned[:MOST_CELLS]
    best = group.nets[0]
    holes = [dict(zip(axes, point, strict=True)) for point in points]
    found = [
        Command(say.say("next.missing", cell=_in_words(hole)), _command("train", group, best, hole))
        for hole in holes
        if is_valid(best.config, hole)
    ]
    return [*planned, *found][:MOST_CELLS]


def edge_of(key: str, values: Sequence[Any], best: Any) -> Edge | None:
    """The edge on which the best value of an axis lies; None where it lies inside, or is no number.

    What to try next is twice or half the best where values go in factors of two and more, else as
    far beyond it as the next value lies before it.
    """
    numbers = [each for each in values if isinstance(each, int | float)]
    if len(numbers) < 2 or len(numbers) < len(values) or isinstance(values[0], bool):
        return None
    if best not in (numbers[0], numbers[-1]):
        return None
    is_largest = best == numbers[-1]
    ordered = numbers[::-1] if is_largest else numbers
    step, factor = ordered[0] - ordered[1], ordered[1] and ordered[0] / ordered[1]
    is_power = bool(factor) and (factor >= 2 or factor <= 0.5)
    value = ordered[0] * (2 if is_largest else 0.5) if is_power else ordered[0] + step
    whole = all(isinstance(each, int) for each in numbers)
    return Edge(key, best, is_largest, round(value) if whole else round(value, 6))


def edge_commands(say: Catalogue, group: Group) -> list[Command]:
    """Axes whose best value lies at the edge of what was tried, where going on makes a network.

    None of a best network at chance, and none where another value is as good.
    """
    best, found = group.nets[0], []
    if best.chance or _is_tied(group.nets):
        return []
    for key in axes_of(group.nets):
        values = _values_beside(group.nets, key)
        edge = edge_of(key, values, flat(best.config).get(key))
        if edge and is_valid(best.config, {key: edge.try_next}):
            why = say.say(
                "next.edge_largest" if edge.is_largest else "next.edge_least",
                key=key,
                best=edge.best,
                values=", ".join(map(_spelled, values)),
            )
            found.append(Command(why, _command("train", group, best, {key: edge.try_next})))
    return found


def _is_tied(nets: Sequence[BoardRow]) -> bool:
    return len(nets) > 1 and nets[0].accuracy == nets[1].accuracy


def _values_beside(nets: Sequence[BoardRow], key: str) -> list[Any]:
    """The values of an axis among networks that differ from the best one in it alone."""
    best = {name: value for name, value in settings(nets[0]).items() if name != key}
    same = [
        net
        for net in nets
        if {name: value for name, value in settings(net).items() if name != key} == best
    ]
    return _in_order({_hashable(flat(net.config).get(key)) for net in same})


def seeds_needed(one: BoardRow, two: BoardRow) -> int | None:
    """Seeds of each that would tell two networks apart, were they as different as they look.

    None where nothing is known of how seeds differ, or the two are equal.
    """
    spreads = [row.spread.sd for row in (one, two) if row.spread and row.spread.sd is not None]
    difference = abs((one.accuracy or 0) - (two.accuracy or 0))
    if len(spreads) < 2 or difference == 0:
        return None
    variance = sum(each**2 for each in spreads) / 2
    return max(2, ceil(POWER_FACTOR * variance / difference**2))


def seed_commands(say: Catalogue, group: Group) -> list[Command]:
    """More seeds of the best two networks, where they are too few to tell the two apart."""
    if len(group.nets) < 2 or group.nets[0].chance:
        return []
    one, two = group.nets[:2]
    if one.interval is None or two.interval is None or not overlap(one.interval, two.interval):
        return []
    needed = seeds_needed(one, two) or 3
    if needed > MOST_SEEDS or min(n_seeds(one), n_seeds(two)) >= needed:
        return []
    return [
        Command(
            say.say("next.seeds", net=named(net, group.nets), n=n_seeds(net), needed=needed),
            _command("sweep", group, net, {"train.seed": _new_seeds(group, net, needed)}),
        )
        for net in (one, two)
        if n_seeds(net) < needed
    ]


def is_valid(config: Mapping[str, Any], changes: Mapping[str, Any]) -> bool:
    """Whether settings with some changes are a network that can be built."""
    sections = {name: dict(values) for name, values in config.items()}
    for key, value in changes.items():
        section, _, name = key.partition(".")
        if "." in name:
            return False
        sections[section][name] = value
    try:
        cell = make_cell(sections)
        if hasattr(cell.model, "conv_layers"):
            describe(cell.model, cell.data.shape, 2)
    except UserError:
        return False
    return True


def _planned(say: Catalogue, group: Group, cell: Planned) -> Command:
    base, own = flat(group.nets[0].config), flat(cell.config)
    changes = {key: own[key] for key in own if own[key] != base.get(key) and key != "data.folder"}
    why = say.say(f"next.{cell.state}", run=cell.name, cell=_in_words(changes))
    return Command(why, _command("train", group, group.nets[0], changes))


def _new_seeds(group: Group, net: BoardRow, needed: int) -> str:
    used = {row.seed for row in group.of_net(net)}
    free = [seed for seed in range(needed + len(used)) if seed not in used]
    return ",".join(map(str, free[: needed - len(used)]))


def _command(verb: str, group: Group, net: BoardRow, changes: Mapping[str, Any]) -> str:
    """A command that takes a run's settings for its recipe, with some changes laid over them."""
    recipe = group.runs[net.run].folder / CONFIG
    keys = [f"{key}={_spelled(value)}" for key, value in changes.items()]
    return shlex.join(["convscope", verb, str(recipe), *keys, "--out", str(folder_of(net))])


def _in_words(changes: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {_spelled(value)}" for key, value in changes.items())


def _spelled(value: Any) -> str:
    """A value as it stands in a recipe."""
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_spelled, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def _point(own: Mapping[str, Any], axes: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(_hashable(own.get(key)) for key in axes)


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _in_order(values: set[Any]) -> list[Any]:
    """Numbers by size, then words by the alphabet."""
    numbers = sorted(each for each in values if isinstance(each, int | float))
    return [*numbers, *sorted((each for each in values if each not in numbers), key=str)]
