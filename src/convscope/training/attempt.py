"""One attempt at a run: its folder is held by one process, and its status says how it ended."""

import errno
import logging
import os
import socket
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import numpy as np
import torch

from convscope.data.dataset import Dataset
from convscope.environment import describe_environment
from convscope.errors import NoRoom, RunFailed, UserError, first_few
from convscope.folder_lock import locked
from convscope.models.spec import UserNet
from convscope.run import ENVIRONMENT, STATE, Run
from convscope.training.accumulation.memory import is_out_of_memory
from convscope.training.cell import Cell
from convscope.training.engine import pick_device
from convscope.training.trust import keep_source
from convscope.types import SPLITS

log = logging.getLogger(__name__)


class Held(UserError):
    """The run is being trained by another process."""


class DiskFull(RunFailed):
    """There is no room for the run."""


class Unwritable(UserError):
    """The run's folder cannot be written."""


class Interrupted(Exception):
    """What a watcher raises to end an attempt after an epoch that is kept; its text is why."""


@contextmanager
def attempt(run: Run, cell: Cell, data: Dataset) -> Iterator[None]:
    """Hold the run's folder, fill it in, and keep how the attempt ends in its status.

    Raises:
        Held: where another process holds the folder.
        UserError: where it was made for other data, or cannot be written.
        RunFailed: what the body raises, a full disk, or a user's own net that fails.
        NoRoom: where memory is too small for what cannot be divided.
    """
    try:
        run.folder.mkdir(parents=True, exist_ok=True)
        with held(run), _threads_put_back():
            run.tidy()
            if run.is_done or run.path(STATE).is_file():
                _refuse_other_data(run, data)
            else:
                _write_head(run, cell, data)
            if run.is_done:
                yield
            else:
                _begin(run, cell)
                with _ending_kept(run, cell):
                    keep_source(run, cell.model)
                    yield
    except OSError as error:
        raise _in_words(run, error) from error


@contextmanager
def held(run: Run) -> Iterator[None]:
    """Hold the run, by a lock on its folder.

    Raises:
        Held: where another process has it.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(run.folder))
        except BlockingIOError:
            host, pid = run.status.get("host"), run.status.get("pid")
            raise Held(
                f"{run.folder} is being trained by process {pid} on {host}: wait for it, or stop it"
            ) from None
        yield


@contextmanager
def _threads_put_back() -> Iterator[None]:
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _refuse_other_data(run: Run, data: Dataset) -> None:
    known = known_fingerprint(run)
    if known is not None and known != data.fingerprint:
        raise UserError(
            f"{run.folder} was made for other data (fingerprint {known[:12]}, data.folder="
            f"{run.config['data']['folder']}; now {data.fingerprint[:12]}, data.folder="
            f"{data.config.folder}; {what_changed(run, data)}): give another --out, or delete that "
            f"folder"
        )


def known_fingerprint(run: Run) -> str | None:
    """Of the data that a run was made for."""
    fingerprint: str | None = run.environment.get("data", {}).get("fingerprint")
    return fingerprint


def what_changed(run: Run, data: Dataset) -> str:
    """How the clips differ from those that a run was made for, in words.

    By class and split; of runs that did not keep their classes' counts, by split.
    """
    known = run.environment.get("data", {})
    counts = "by_class" if "by_class" in known else "clips"
    before, now = _flat(known.get(counts, {})), _flat(_clip_counts(data)[counts])
    changes = [
        f"{now.get(key, 0)} {key} clips in place of {before.get(key, 0)}"
        for key in {**before, **now}
        if now.get(key, 0) != before.get(key, 0)
    ]
    return first_few(changes) if changes else "as many clips, with other names or contents"


def _flat(counts: Mapping[str, Any]) -> dict[str, int]:
    """Numbers of clips by `train`, or by `cat train`."""
    return {
        f"{key} {split}".strip(): n
        for key, value in counts.items()
        for split, n in (value.items() if isinstance(value, Mapping) else [("", value)])
    }


def _clip_counts(data: Dataset) -> dict[str, Any]:
    """Numbers of clips by split, and by class and split."""
    counts = np.zeros((data.n_classes, len(SPLITS)), np.int64)
    np.add.at(counts, (data.labels, data.splits), 1)
    by_class = {
        name: dict(zip(SPLITS, row, strict=True))
        for name, row in zip(data.classes, counts.tolist(), strict=True)
    }
    return {"clips": dict(zip(SPLITS, counts.sum(0).tolist(), strict=True)), "by_class": by_class}


def _write_head(run: Run, cell: Cell, data: Dataset) -> None:
    """What is known before the first step; written anew as long as no epoch is kept."""
    device = pick_device(cell.train.device)
    environment = {
        **describe_environment(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        # Torch's own choice heeds OMP_NUM_THREADS and the cores that the process may use.
        "threads": cell.train.threads or torch.get_num_threads(),
        "classes": list(data.classes),
        "data": {
            "fingerprint": data.fingerprint,
            **_clip_counts(data),
            "left_out": len(data.left_out),
            "noted": dict(Counter(each.kind for each in data.noted)),
            "excluded": data.n_excluded,
        },
    }
    run.write_config(cell.config)
    run.write_json(ENVIRONMENT, environment)


def _begin(run: Run, cell: Cell) -> None:
    """Compute with the threads that the run began with, and say that it is running."""
    threads = run.environment["threads"]
    if cell.train.threads not in (None, threads):
        log.warning("%s goes on with %d threads, as it began", run.name, threads)
    torch.set_num_threads(threads)
    run.write_status(
        state="running",
        chance=None,
        reason=None,
        attempts=run.status.get("attempts", 0) + 1,
        host=socket.gethostname(),
        pid=os.getpid(),
    )


@contextmanager
def _ending_kept(run: Run, cell: Cell) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        with suppress(OSError):
            run.write_status(state="interrupted", reason="interrupted by the user")
        raise
    except Interrupted as error:
        run.write_status(state="interrupted", reason=str(error))
        raise
    except Exception as error:
        reason = _reason(run, cell, error)
        with suppress(OSError):
            run.write_status(state="failed", reason=str(reason))
        raise reason from (None if reason is error else error)


def _reason(run: Run, cell: Cell, error: Exception) -> Exception:
    """The error in words, where it is the user's or the disk's; else itself, to be traced back."""
    is_users = isinstance(cell.model, UserNet)
    if isinstance(error, OSError) and not (is_users and _is_elsewhere(run, error)):
        return _in_words(run, error)
    if is_out_of_memory(error):
        return NoRoom(
            "memory is too small for the training of this net: wait until there is more room, or "
            f"take fewer clips a step with train.batch_size ({_first_line(error)})"
        )
    if isinstance(error, UserError | RunFailed) or not is_users:
        return error
    return RunFailed(
        f"the net of {cell.model.family} failed in training: {type(error).__name__}: "
        f"{_first_line(error)}: mend the file and give the same command again"
    )


def _is_elsewhere(run: Run, error: OSError) -> bool:
    """Whether an error is of a file that does not lie in the run's folder."""
    return error.filename is not None and str(run.folder) not in str(error.filename)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "")


def _in_words(run: Run, error: OSError) -> Exception:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(
            f"the disk of {run.folder} is full: free some space and give the same command again; "
            "it goes on after the last epoch that was kept"
        )
    return Unwritable(
        f"{run.folder} cannot be written ({error.strerror}): give another folder with --out"
    )
