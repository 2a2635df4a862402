"""One attempt at a run: its folder is held by one process, and its status says how it ended."""

import errno
import fcntl
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import torch

from convscope.data.dataset import Dataset
from convscope.environment import describe_environment
from convscope.errors import RunFailed, UserError
from convscope.run import ENVIRONMENT, Run
from convscope.training.cell import Cell
from convscope.types import SPLITS

log = logging.getLogger(__name__)


@contextmanager
def attempt(run: Run, cell: Cell, data: Dataset) -> Iterator[None]:
    """Hold the run's folder, fill it in, and keep how the attempt ends in its status.

    Raises:
        UserError: where another process holds the folder, or it was made for other data.
        RunFailed: what the body raises, or a full disk.
    """
    run.folder.mkdir(parents=True, exist_ok=True)
    with _held(run):
        _refuse_other_data(run, data)
        run.tidy()
        if not run.is_done:
            _begin(run, cell, data)
        try:
            yield
        except KeyboardInterrupt:
            run.write_status(state="interrupted", reason="interrupted by the user")
            raise
        except Exception as error:
            reason = _reason(run, error)
            with suppress(OSError):
                run.write_status(state="failed", reason=str(reason))
            raise reason from (None if reason is error else error)


@contextmanager
def _held(run: Run) -> Iterator[None]:
    """A lock on the folder itself: it leaves no file behind and ends with its process."""
    descriptor = os.open(run.folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        host, pid = run.status.get("host"), run.status.get("pid")
        raise UserError(
            f"{run.folder} is being trained by process {pid} on {host}: wait for it, or stop it"
        ) from None
    finally:
        os.close(descriptor)


def _refuse_other_data(run: Run, data: Dataset) -> None:
    known = run.environment.get("data", {}).get("fingerprint")
    if known is not None and known != data.fingerprint:
        raise UserError(
            f"{run.folder} was made for other data (fingerprint {known[:12]}, data.folder="
            f"{run.config['data']['folder']}; now {data.fingerprint[:12]}, data.folder="
            f"{data.config.folder}): give another --out, or delete that folder"
        )


def _begin(run: Run, cell: Cell, data: Dataset) -> None:
    """Fill in the folder, or take up what an earlier attempt left in it."""
    threads = run.environment.get("threads") or cell.train.threads or os.cpu_count() or 1
    if cell.train.threads not in (None, threads):
        log.warning("%s goes on with %d threads, as it began", run.name, threads)
    torch.set_num_threads(threads)
    if not run.path(ENVIRONMENT).is_file():
        run.write_config(cell.config)
        run.write_json(ENVIRONMENT, _environment(data, threads))
    attempts = run.status.get("attempts", 0) + 1
    run.write_status(
        state="running",
        chance=None,
        reason=None,
        attempts=attempts,
        host=socket.gethostname(),
        pid=os.getpid(),
    )


def _environment(data: Dataset, threads: int) -> dict[str, object]:
    return {
        **describe_environment(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "threads": threads,
        "classes": list(data.classes),
        "data": {
            "fingerprint": data.fingerprint,
            "clips": {split: len(data.indices(split)) for split in SPLITS},
            "left_out": len(data.left_out),
        },
    }


def _reason(run: Run, error: Exception) -> Exception:
    """The error as the user should see it: a full disk is said in words."""
    if not isinstance(error, OSError) or error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return error
    return RunFailed(
        f"the disk of {run.folder} is full: free some space and give the same command again; "
        f"it goes on after epoch {len(run.epochs)}"
    )
