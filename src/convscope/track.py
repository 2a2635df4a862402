"""Runs into MLflow, for labs that keep their results there; the run folders remain the source."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from convscope.errors import UserError
from convscope.run import CONFIG, MANIFEST, MODEL, SCORES, Run
from convscope.scores.network import flat

ARTIFACTS = (CONFIG, SCORES, MODEL)

RUN_TAG, FINGERPRINT_TAG = "convscope.run", "convscope.fingerprint"
_VERSION_TAG = "convscope.exported"

_MOST_METRICS, _MOST_PARAMS, _LONGEST_VALUE = 1000, 100, 6000  # of one call; of a value
_STATES = {"done": "FINISHED", "failed": "FAILED", "running": "RUNNING"}


@dataclass(frozen=True)
class Exported:
    """How many runs were new to MLflow, went on since the last time, or were as they are."""

    uri: str
    experiment: str
    n_new: int
    n_updated: int
    n_unchanged: int

    def __str__(self) -> str:
        return (
            f"{self.n_new} new, {self.n_updated} updated, {self.n_unchanged} unchanged in the "
            f"experiment {self.experiment} of {self.uri}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return asdict(self)


def export_runs(runs: Sequence[Run], uri: str, experiment: str = "convscope") -> Exported:
    """Put runs into an MLflow store: settings, a metric an epoch, scores, files.

    A run is found again by its name and its data's fingerprint: the same call again adds what is
    new of it, and never a second one.

    Args:
        uri: a backend store as MLflow takes it: sqlite:///FILE, a folder, http://HOST:PORT.
        experiment: is made where there is none.

    Raises:
        UserError: MLflow is not installed, or the store cannot be used.
    """
    mlflow = _mlflow()
    try:
        client = mlflow.MlflowClient(tracking_uri=uri)
        number = _experiment(client, uri, experiment)
        known = _known(client, number)
        each_once = {_key(run): run for run in runs}
        came = [_export(client, number, run, known.get(key)) for key, run in each_once.items()]
    except (mlflow.exceptions.MlflowException, OSError) as error:
        raise UserError(f"--mlflow {uri}: {_first_line(error)}") from None
    counts = (came.count("new"), came.count("updated"), came.count("unchanged"))
    return Exported(uri, experiment, *counts)


def _mlflow() -> ModuleType:
    """MLflow, which is not to tell anybody of its use, nor to try a dead server for minutes."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["DO_NOT_TRACK"] = "true"
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # a folder is what the user names
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    try:
        import mlflow
    except ImportError:
        raise UserError("--mlflow needs MLflow: pip install 'convscope[track]'") from None
    module: ModuleType = mlflow
    return module


def _experiment(client: Any, uri: str, name: str) -> str:
    """The experiment's number; a new one keeps its files beside a store that is a file."""
    found = client.get_experiment_by_name(name)
    if found is None:
        return str(client.create_experiment(name, artifact_location=_files_beside(uri)))
    if found.lifecycle_stage == "deleted":
        raise UserError(
            f"--mlflow {uri}: the experiment {name} is deleted there: restore it, or give another "
            "--experiment"
        )
    return str(found.experiment_id)


def _files_beside(uri: str) -> str | None:
    """Where artifacts go: MLflow itself would take a folder of the directory one is in."""
    if not uri.startswith("sqlite:///"):
        return None
    file = Path(uri.removeprefix("sqlite:///").partition("?")[0]).absolute()
    return file.with_name(f"{file.stem}_artifacts").as_uri()


def _key(run: Run) -> tuple[str, str]:
    """By what a run is found again: its name, and the fingerprint of its data."""
    return run.name, run.environment.get("data", {}).get("fingerprint") or ""


def _known(client: Any, experiment: str) -> dict[tuple[str, str], Any]:
    """The runs that were exported before, by key."""
    known, page = {}, None
    while page is None or page.token:
        page = client.search_runs([experiment], page_token=page.token if page else None)
        for there in page:
            tags = there.data.tags
            known[tags.get(RUN_TAG, ""), tags.get(FINGERPRINT_TAG, "")] = there
    return known


def _export(client: Any, experiment: str, run: Run, found: Any) -> str:
    """Make a run, or bring the one that was found up to date; what was done."""
    version = _version(run)
    if found is not None and found.data.tags.get(_VERSION_TAG) == version:
        return "unchanged"
    there = found or client.create_run(
        experiment,
        start_time=_started_ms(run),
        run_name=run.name,
        tags=dict(zip((RUN_TAG, FINGERPRINT_TAG), _key(run), strict=True)),
    )
    _log(client, there, run)
    client.set_tag(there.info.run_id, _VERSION_TAG, version)  # last: all before it is there
    return "new" if found is None else "updated"


def _log(client: Any, there: Any, run: Run) -> None:
    number = there.info.run_id
    _log_params(client, there, run)
    _log_metrics(client, number, run)
    status = run.status
    state = "done" if run.is_done else str(status.get("state", "interrupted"))
    for key, value in {"state": state, "host": status.get("host") or ""}.items():
        client.set_tag(number, f"convscope.{key}", value)
    if _takes_files(client.tracking_uri, there.info.artifact_uri):
        for name in ARTIFACTS if run.is_done else (CONFIG,):
            client.log_artifact(number, str(run.path(name)))
    client.set_terminated(number, _STATES.get(state, "KILLED"), end_time=_ended_ms(run))


def _takes_files(uri: str, artifact_uri: str) -> bool:
    """Whether there is a place: for a database's server MLflow takes a folder of where one is."""
    is_server = uri.startswith(("postgresql", "mysql", "mssql"))
    return not (is_server and artifact_uri.startswith(("/", "file:")))


def _log_params(client: Any, there: Any, run: Run) -> None:
    from mlflow.entities import Param

    params = [
        Param(key, str(value)[:_LONGEST_VALUE])
        for key, value in flat(run.config).items()
        if key not in there.data.params
    ]
    for i in range(0, len(params), _MOST_PARAMS):
        client.log_batch(there.info.run_id, params=params[i : i + _MOST_PARAMS])


def _log_metrics(client: Any, number: str, run: Run) -> None:
    """A metric an epoch, step by step, and the scores; those that are there are left out."""
    there = set(client.get_run(number).data.metrics)
    known = {
        (key, metric.step) for key in there for metric in client.get_metric_history(number, key)
    }
    metrics = [each for each in _metrics(run) if (each.key, each.step) not in known]
    for i in range(0, len(metrics), _MOST_METRICS):
        client.log_batch(number, metrics=metrics[i : i + _MOST_METRICS])


def _metrics(run: Run) -> list[Any]:
    from mlflow.entities import Metric

    time_ms, metrics = _started_ms(run), []
    for row in run.epochs:
        time_ms += round(1000 * row.get("seconds", 0.0))
        step = int(row["epoch"])
        metrics += [
            Metric(key, value, time_ms, step) for key, value in row.items() if key != "epoch"
        ]
    if run.is_done:
        metrics += [Metric(key, value, time_ms, 0) for key, value in _final(run.scores).items()]
    return metrics


def _final(scores: dict[str, Any]) -> dict[str, float]:
    """The scores that are one number, under names of their own."""
    values = {
        "test_accuracy": scores.get("accuracy"),
        "test_macro_f1": scores.get("macro", {}).get("f1"),
        "params": scores.get("params"),
        "best_epoch": scores.get("best_epoch"),
    }
    low, high = scores.get("interval", (None, None))
    values |= {"test_accuracy_low": low, "test_accuracy_high": high}
    return {key: float(value) for key, value in values.items() if value is not None}


def _version(run: Run) -> str:
    """The same for a run that has not gone on: of its manifest, or of its epochs and state."""
    content = run.path(MANIFEST).read_text() if run.is_done else f"{run.status}{len(run.epochs)}"
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _started_ms(run: Run) -> int:
    return round(1000 * run.path(CONFIG).stat().st_mtime)


def _ended_ms(run: Run) -> int:
    return _started_ms(run) + round(1000 * sum(row.get("seconds", 0.0) for row in run.epochs))


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
