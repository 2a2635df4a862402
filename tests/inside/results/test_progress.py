"""How far something is."""

from convscope.inside.results.progress import step_of


def test_steps_of_steps_are_told_as_how_far_all_are() -> None:
    told: list[float] = []

    def tell(done: float, total: float) -> None:
        told.append(done / total)

    for i in range(2):
        outer = step_of(tell, i, 2)
        for k in range(4):
            step_of(outer, k, 4)(1, 2)
    assert told == [(0.5 + n) / 8 for n in range(8)]


def test_a_step_of_nothing_is_at_its_beginning() -> None:
    told: list[tuple[float, float]] = []
    step_of(lambda *each: told.append(each), 3, 5)(0, 0)
    assert told == [(3, 5)]
