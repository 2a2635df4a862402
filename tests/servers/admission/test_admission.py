"""Hand-worked records, and properties that hold for every record."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convscope.servers.admission.admission import CONTEXT_BYTES, must_pause, why_wait
from convscope.servers.admission.limits import Limits

GIB = 2**30
GPU = "GPU-aaaa"
EXACT = Limits(free_gpu_memory_bytes=0)
NOTHING = Limits(free_gpu_memory_bytes=None, others_gpu_memory_bytes=None)


def process(
    pid: int, owner: str | None, gib: float | None, command: str = "python"
) -> dict[str, Any]:
    memory = None if gib is None else int(gib * GIB)
    return {"pid": pid, "owner": owner, "memory_bytes": memory, "started": 0, "command": command}


def gpu(*processes: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A GPU of 24 GiB with these processes."""
    used = sum(each["memory_bytes"] or 0 for each in processes)
    plain = {
        "index": 0,
        "name": "NVIDIA TITAN RTX",
        "uuid": GPU,
        "memory_total_bytes": 24 * GIB,
        "memory_used_bytes": used,
        "memory_free_bytes": 24 * GIB - used,
        "utilisation": 0.5,
        "temperature_c": 60,
        "power_w": 100.0,
        "processes": list(processes),
    }
    return {**plain, **changes}


def machine(*gpus: dict[str, Any], **changes: Any) -> dict[str, Any]:
    plain = {
        "cores": 8,
        "load_1m": 14.2,
        "memory_total_bytes": 64 * GIB,
        "memory_available_bytes": 10 * GIB,
        "disk_free_bytes": 5 * GIB,
        "gpus": list(gpus),
    }
    return {**plain, **changes}


def wait(record: dict[str, Any], limits: Limits | None = None, **changes: Any) -> str | None:
    """Why a cell of bob's that needs 2 GiB waits, beside our process 1.

    Without `limits`, nothing needs to stay free beyond what the cell needs.
    """
    asked: dict[str, Any] = {
        "gpu_uuid": GPU,
        "needs_bytes": 2 * GIB,
        "own_pids": {1},
        "login": "bob",
    }
    return why_wait(record, limits or EXACT, **{**asked, **changes})


def pause(
    record: dict[str, Any], limits: Limits | None = None, uuid: str | None = GPU
) -> str | None:
    return must_pause(record, limits or Limits(), uuid, {1}, "bob")


# By hand -------------------------------------------------------------------------------------


def test_a_free_gpu_is_taken() -> None:
    assert wait(machine(gpu())) is None
    assert wait(machine(gpu(process(1, "bob", 3)))) is None


def test_another_persons_process_is_named() -> None:
    record = machine(gpu(process(1, "bob", 3), process(2, "ann", 12.3)))
    assert wait(record) == "GPU 0 is used by ann (python, 12.3 GiB)"
    assert pause(record) == "GPU 0 is used by ann (python, 12.3 GiB)"


def test_a_process_on_another_gpu_is_no_reason() -> None:
    record = machine(gpu(process(2, "ann", 12), uuid="GPU-bbbb", index=1), gpu())
    assert wait(record) is None
    assert pause(record) is None


def test_only_the_largest_of_many_are_named() -> None:
    sizes = [1, 5, 2, 4, 3]
    record = machine(gpu(*(process(10 + size, f"p{size}", size) for size in sizes)))
    reason = "GPU 0 is used by p5 (python, 5.0 GiB), p4 (python, 4.0 GiB), p3 (python, 3.0 GiB)"
    assert wait(record) == f"{reason} and 2 more"


def test_others_may_hold_a_little() -> None:
    limits = Limits(others_gpu_memory_bytes=GIB)
    two = machine(gpu(process(2, "ann", 0.5), process(3, "cy", 0.5)))
    assert wait(two, limits) is None
    assert pause(two, limits) is None
    three = machine(gpu(process(2, "ann", 0.5), process(3, "cy", 0.5), process(4, None, 0.05, "X")))
    assert wait(three, limits) == (
        "GPU 0 is used by ann (python, 0.5 GiB), cy (python, 0.5 GiB), an unknown user (X, 51 MiB)"
    )


def test_a_process_of_unknown_owner_or_memory_is_anothers() -> None:
    unseen = {"pid": 77, "owner": None, "memory_bytes": None, "started": None, "command": None}
    reason = "GPU 0 is used by an unknown user (process 77, memory unknown)"
    assert wait(machine(gpu(unseen))) == reason
    assert pause(machine(gpu(unseen))) == reason


def test_our_login_is_ours_unless_people_share_it() -> None:
    record = machine(gpu(process(5, "bob", 4, "jupyter")))
    assert wait(record) is None
    assert pause(record) is None
    shared = Limits(count_own_login=True)
    assert wait(record, shared) == "GPU 0 is used by bob (jupyter, 4.0 GiB)"
    assert pause(record, shared) == "GPU 0 is used by bob (jupyter, 4.0 GiB)"
    assert wait(machine(gpu(process(1, "bob", 4))), shared) is None
    unseen = machine(gpu(process(9, None, 4)))
    assert wait(unseen, shared) == "GPU 0 is used by an unknown user (python, 4.0 GiB)"


def test_there_must_be_room() -> None:
    full = machine(gpu(process(1, "bob", 23.1)))
    assert wait(full, needs_bytes=int(3.2 * GIB)) == "0.9 GiB free on GPU 0, 3.2 GiB needed"
    half = machine(gpu(process(1, "bob", 12)))
    assert wait(half, needs_bytes=12 * GIB) is None
    assert wait(half, Limits(), needs_bytes=12 * GIB) == "12.0 GiB free on GPU 0, 12.5 GiB needed"
    more = Limits(free_gpu_memory_bytes=GIB)
    assert wait(half, more, needs_bytes=12 * GIB) == "12.0 GiB free on GPU 0, 13.0 GiB needed"


def test_what_the_driver_reserves_is_not_free() -> None:
    assert wait(machine(gpu(memory_free_bytes=GIB))) == "1.0 GiB free on GPU 0, 2.0 GiB needed"
    older = machine(gpu(memory_free_bytes=None, memory_used_bytes=23 * GIB))
    assert wait(older) == "1.0 GiB free on GPU 0, 2.0 GiB needed"


def test_room_is_kept_for_cells_that_have_just_started() -> None:
    """Ours hold 3 of the 21 GiB that they need: of 21 GiB free, 3 are left."""
    record = machine(gpu(process(1, "bob", 3)))
    reason = "3.0 GiB free on GPU 0 beside our other cells, 4.0 GiB needed"
    assert wait(record, needs_bytes=4 * GIB, our_gpu_bytes=21 * GIB) == reason
    assert wait(record, needs_bytes=3 * GIB, our_gpu_bytes=21 * GIB) is None


def test_what_others_hold_is_not_taken_for_our_cells() -> None:
    """Of 12 GiB free, our cell still takes 7: a notebook's 4 GiB are none of its 8."""
    record = machine(gpu(process(1, "bob", 1), process(5, "bob", 4), memory_free_bytes=12 * GIB))
    assert wait(record, needs_bytes=5 * GIB, our_gpu_bytes=8 * GIB) is None
    reason = "5.0 GiB free on GPU 0 beside our other cells, 6.0 GiB needed"
    assert wait(record, needs_bytes=6 * GIB, our_gpu_bytes=8 * GIB) == reason


def test_memory_in_use_is_ours_where_our_processes_are_not_seen() -> None:
    record = machine(gpu(memory_used_bytes=6 * GIB, memory_free_bytes=18 * GIB))
    assert wait(record, needs_bytes=16 * GIB, our_gpu_bytes=8 * GIB) is None
    assert wait(record, needs_bytes=17 * GIB, our_gpu_bytes=8 * GIB) is not None


def test_utilisation_counts_where_nothing_of_ours_runs() -> None:
    limits = Limits(others_gpu_utilisation=0.2)
    reason = "GPU 0 is 50% busy with other people's work, at most 20%"
    assert wait(machine(gpu()), limits) == reason
    assert wait(machine(gpu(process(1, "bob", 1))), limits) is None
    assert wait(machine(gpu()), limits, our_gpu_bytes=1) is None


def test_a_gpu_without_processes_is_judged_by_its_memory() -> None:
    record = machine(gpu(processes=None, memory_used_bytes=4 * GIB))
    reason = "4.0 GiB are used on GPU 0, and its processes cannot be read"
    assert wait(record) == reason
    assert wait(record, our_gpu_bytes=4 * GIB - CONTEXT_BYTES) is None
    assert wait(record, our_gpu_bytes=3 * GIB - CONTEXT_BYTES) == reason
    assert pause(record) is None


def test_a_gpu_that_tells_nothing_is_not_used() -> None:
    silent = gpu(memory_used_bytes=None, memory_free_bytes=None, processes=None)
    expected = "neither the memory nor the processes of GPU 0 can be read"
    assert wait(machine(silent)) == expected
    assert wait(machine()) == "neither the memory nor the processes of GPU aaaa can be read"
    assert wait(machine(), Limits(others_gpu_memory_bytes=None)) is None
    assert pause(machine()) is None


def test_a_uuid_is_found_without_its_first_letters() -> None:
    assert wait(machine(gpu()), gpu_uuid="AAAA") is None


def test_load_of_others() -> None:
    limits = Limits(load_per_core=1.0)
    assert wait(machine(), limits, gpu_uuid=None) == "load 14.2 on 8 cores, at most 1.0 a core"
    reason = wait(machine(), limits, gpu_uuid=None, our_load=4)
    assert reason == "load 10.2 beside ours on 8 cores, at most 1.0 a core"
    assert wait(machine(), limits, gpu_uuid=None, our_load=6.2) is None


def test_memory_and_disk_of_the_host() -> None:
    reason = wait(machine(), Limits(free_memory_bytes=9 * GIB), gpu_uuid=None)
    assert reason == "10.0 GiB of memory free, 11.0 GiB needed"
    assert wait(machine(gpu()), Limits(free_memory_bytes=9 * GIB)) is None  # the need is the GPU's
    reason = wait(machine(), Limits(free_disk_bytes=6 * GIB), gpu_uuid=None)
    assert reason == "5.0 GiB free on the disk of the runs, 6.0 GiB needed"


def test_without_a_file_nothing_waits_on_the_processor() -> None:
    worst = machine(load_1m=1e6, memory_available_bytes=0, disk_free_bytes=0)
    assert wait(worst, gpu_uuid=None) is None
    assert pause(worst, uuid=None) is None


# For every record ----------------------------------------------------------------------------

SIZES = st.integers(0, 24 * GIB)
PROCESSES = st.builds(
    lambda pid, owner, memory: {
        "pid": pid, "owner": owner, "memory_bytes": memory, "started": 0, "command": "python"
    },
    st.integers(1, 6),
    st.sampled_from(["ann", "bob", None]),
    st.none() | SIZES,
)  # fmt: skip
GPUS = st.fixed_dictionaries(
    {
        "index": st.just(0),
        "uuid": st.just(GPU),
        "memory_total_bytes": st.none() | st.just(24 * GIB),
        "memory_used_bytes": st.none() | SIZES,
        "memory_free_bytes": st.none() | SIZES,
        "utilisation": st.none() | st.floats(0, 1),
        "processes": st.none() | st.lists(PROCESSES, max_size=4),
    }
)
RECORDS = st.fixed_dictionaries(
    {
        "cores": st.none() | st.integers(1, 64),
        "load_1m": st.none() | st.floats(0, 200),
        "memory_available_bytes": st.none() | SIZES,
        "disk_free_bytes": st.none() | SIZES,
        "gpus": st.lists(GPUS, max_size=1),
    }
)
LIMITS = st.builds(
    Limits,
    free_gpu_memory_bytes=st.none() | SIZES,
    others_gpu_memory_bytes=st.none() | SIZES,
    others_gpu_utilisation=st.none() | st.floats(0, 1),
    free_memory_bytes=st.none() | SIZES,
    load_per_core=st.none() | st.floats(0, 4),
    free_disk_bytes=st.none() | SIZES,
    count_own_login=st.booleans(),
)
UUIDS = st.sampled_from([GPU, None])
MORE = st.integers(0, GIB)


@given(RECORDS, LIMITS, UUIDS, st.none() | SIZES, st.floats(0, 64), SIZES)
def test_a_reason_is_one_line_for_any_record(
    record: dict[str, Any], limits: Limits, uuid: str | None, needs: int, load: float, ours: int
) -> None:
    reason = why_wait(record, limits, uuid, needs, {1}, "bob", load, ours)
    assert reason is None or (reason and "\n" not in reason and "None" not in reason)


@given(RECORDS, UUIDS)
def test_without_limits_nothing_waits(record: dict[str, Any], uuid: str | None) -> None:
    assert wait(record, NOTHING, gpu_uuid=uuid) is None
    assert must_pause(record, NOTHING, uuid, {1}, "bob") is None


@given(RECORDS, LIMITS, UUIDS, MORE)
def test_more_room_or_less_load_never_makes_a_cell_wait(
    record: dict[str, Any], limits: Limits, uuid: str | None, more: int
) -> None:
    def raised(values: dict[str, Any], *keys: str) -> dict[str, Any]:
        return {**values, **{key: values[key] + more for key in keys if values[key] is not None}}

    better = raised(record, "memory_available_bytes", "disk_free_bytes")
    better["gpus"] = [raised(each, "memory_free_bytes") for each in record["gpus"]]
    better["load_1m"] = record["load_1m"] and record["load_1m"] / 2
    if wait(record, limits, gpu_uuid=uuid) is None:
        assert wait(better, limits, gpu_uuid=uuid) is None


@given(RECORDS, LIMITS, UUIDS, MORE)
def test_a_smaller_cell_never_waits_where_a_larger_one_may_start(
    record: dict[str, Any], limits: Limits, uuid: str | None, more: int
) -> None:
    if wait(record, limits, gpu_uuid=uuid, needs_bytes=GIB + more) is None:
        assert wait(record, limits, gpu_uuid=uuid, needs_bytes=GIB) is None


@given(RECORDS, LIMITS)
def test_our_own_processes_are_never_others(record: dict[str, Any], limits: Limits) -> None:
    """With only processes of ours on the GPU, no reason speaks of a user."""
    everybody = range(1, 7)
    reason = why_wait(record, limits, GPU, GIB, everybody, "bob")
    assert "is used by" not in (reason or "")
    assert must_pause(record, limits, GPU, everybody, "bob") is None


@given(RECORDS, LIMITS)
def test_the_more_is_ours_the_less_pauses(record: dict[str, Any], limits: Limits) -> None:
    if must_pause(record, limits, GPU, {1}, "bob") is None:
        assert must_pause(record, limits, GPU, {1, 2, 3}, "bob") is None
    if must_pause(record, limits, GPU, {1}, "nobody") is None:
        assert must_pause(record, limits, GPU, {1}, "bob") is None


@given(RECORDS, LIMITS)
def test_where_a_cell_must_pause_none_may_start(record: dict[str, Any], limits: Limits) -> None:
    if must_pause(record, limits, GPU, {1}, "bob"):
        assert wait(record, limits) is not None


@given(RECORDS, LIMITS, UUIDS)
def test_an_unknown_number_of_the_host_is_no_reason(
    record: dict[str, Any], limits: Limits, uuid: str | None
) -> None:
    unknown = dict.fromkeys(["cores", "load_1m", "memory_available_bytes", "disk_free_bytes"])
    if wait(record, limits, gpu_uuid=uuid) is None:
        assert wait({**record, **unknown}, limits, gpu_uuid=uuid) is None


@pytest.mark.parametrize("record", [{}, {"gpus": None}, {"gpus": [{}]}])
def test_a_record_that_says_nothing_stops_no_processor(record: dict[str, Any]) -> None:
    everything = Limits(free_memory_bytes=1, load_per_core=0, free_disk_bytes=1)
    assert wait(record, everything, gpu_uuid=None) is None
    assert wait(record, everything) is not None
