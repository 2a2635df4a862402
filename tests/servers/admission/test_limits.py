import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convscope.errors import UserError
from convscope.servers.admission.limits import Limits, parse_bytes
from convscope.settings import validated

LIMITS = st.fixed_dictionaries(
    {},
    optional={
        "free_memory_bytes": st.none() | st.integers(0, 2**40),
        "load_per_core": st.none() | st.floats(0, 100),
        "count_own_login": st.booleans(),
    },
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4 GiB", 4294967296),
        ("500 MB", 500_000_000),
        ("1.5gib", 1610612736),
        (" 0 B ", 0),
        ("2KiB", 2048),
        ("0.5 TiB", 2**39),
    ],
)
def test_bytes_are_read_from_text(text: str, expected: int) -> None:
    assert parse_bytes(text) == expected
    assert validated(Limits, {"free_disk_bytes": text}, "limits").free_disk_bytes == expected


@pytest.mark.parametrize(
    "text", ["4", "GiB", "4 Gib x", "-1 GiB", "4 G", "1e3 GiB", "", "9" * 400 + "TiB"]
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"limits\.free_disk_bytes: expected bytes, such as"):
        validated(Limits, {"free_disk_bytes": text}, "limits")


@given(st.text())
def test_any_text_is_bytes_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert parse_bytes(text) >= 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"free_disk_bytes": -1}, "expected greater than or equal to 0, got -1"),
        ({"free_disk_bytes": True}, "expected integer, got True"),
        ({"free_disk_bytes": 1.5}, "expected integer, got 1.5"),
        ({"load_per_core": "1"}, "expected number, got '1'"),
        ({"others_gpu_utilisation": 85}, "less than or equal to 1, got 85"),
        ({"free_memory": 1}, "did you mean 'free_memory_bytes'"),
    ],
)
def test_nonsense_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        validated(Limits, values, "limits")


def test_a_limit_not_given_is_as_below() -> None:
    base = Limits(free_memory_bytes=1, load_per_core=2.0, others_gpu_memory_bytes=3)
    upper = Limits(load_per_core=None, others_gpu_memory_bytes=4)
    expected = Limits(free_memory_bytes=1, load_per_core=None, others_gpu_memory_bytes=4)
    assert upper.over(base) == expected


@given(LIMITS, LIMITS, LIMITS)
def test_laying_over_is_associative(
    a: dict[str, object], b: dict[str, object], c: dict[str, object]
) -> None:
    top, middle, bottom = (Limits.model_validate(values) for values in (a, b, c))
    assert top.over(middle).over(bottom) == top.over(middle.over(bottom))
    assert top.over(middle).over(bottom) == Limits.model_validate({**c, **b, **a})
