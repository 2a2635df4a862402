"""The export to MLflow, into real stores."""

import logging
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from convscope.errors import UserError
from convscope.run import BEFORE, Run
from convscope.scores.network import flat
from convscope.track import Exported, _takes_files, export_runs

needs_mlflow = pytest.mark.filterwarnings("ignore")  # of MLflow and what it brings


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with MLflow's tables: to make them takes seconds."""
    mlflow = pytest.importorskip("mlflow", reason="needs the extra track")
    path = tmp_path_factory.mktemp("store") / "empty.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        mlflow.MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def database(empty_store: Path, tmp_path: Path) -> str:
    """The address of a database of the test's own."""
    return f"sqlite:///{shutil.copy(empty_store, tmp_path / 'a b.db')}"


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """`client(uri)`, in an empty working directory that must stay empty."""
    mlflow = pytest.importorskip("mlflow", reason="needs the extra track")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    yield lambda uri: mlflow.MlflowClient(tracking_uri=uri)
    assert list((tmp_path / "here").iterdir()) == []


def make_run(folder: Path, n_epochs: int = 3, done: bool = True) -> Run:
    run = Run(folder)
    run.write_config({"data": {"kind": "words"}, "model": {"dropout": 0.5}, "train": {"seed": 1}})
    run.write_json("environment.json", {"data": {"fingerprint": "same"}})
    run.write_epochs(
        [{"epoch": i, "train_loss": 1 / i, "seconds": 2.0} for i in range(1, n_epochs + 1)]
    )
    run.write_status(state="done" if done else "running", host="gpu7")
    if done:
        scores = {"accuracy": 0.9, "interval": [0.8, 0.95], "params": 10, "macro": {"f1": None}}
        run.write_json("scores.json", scores)
        run.write("model.safetensors", b"weights")
        run.write("predictions.npz", b"")
        run.finish()
    return run


def exported(client: Any) -> list[Any]:
    number = client.get_experiment_by_name("convscope").experiment_id
    return list(client.search_runs([number]))


@needs_mlflow
@pytest.mark.parametrize("kind", ["database", "folder"])
def test_a_run_arrives_whole_and_never_twice(
    client: Any, tmp_path: Path, database: str, kind: str
) -> None:
    uri = database if kind == "database" else f"{tmp_path}/store"
    runs = [make_run(tmp_path / "custom-1"), make_run(tmp_path / "custom-2", done=False)]
    assert export_runs(runs, uri) == Exported(uri, "convscope", 2, 0, 0)
    assert export_runs(runs, uri) == Exported(uri, "convscope", 0, 0, 2)
    there = {each.info.run_name: each for each in exported(client(uri))}
    assert sorted(there) == ["custom-1", "custom-2"]
    one = there["custom-1"]
    assert one.info.status == "FINISHED"
    assert there["custom-2"].info.status == "RUNNING"
    own = {"data.kind": "words", "model.dropout": "0.5", "train.seed": "1"}
    assert one.data.params == own | {key: str(value) for key, value in flat(BEFORE).items()}
    assert one.data.metrics["test_accuracy"] == 0.9
    assert one.data.tags["convscope.run"] == "custom-1"
    assert one.data.tags["convscope.fingerprint"] == "same"
    assert (one.data.tags["convscope.state"], one.data.tags["convscope.host"]) == ("done", "gpu7")
    history = client(uri).get_metric_history(one.info.run_id, "train_loss")
    assert [(metric.step, metric.value) for metric in history] == [(1, 1), (2, 1 / 2), (3, 1 / 3)]
    files = {file.path for file in client(uri).list_artifacts(one.info.run_id)}
    assert files == {"config.yaml", "scores.json", "model.safetensors"}


@needs_mlflow
def test_a_run_that_went_on_is_brought_up_to_date(
    client: Any, tmp_path: Path, database: str
) -> None:
    uri = database
    export_runs([make_run(tmp_path / "custom-1", n_epochs=1, done=False)], uri)
    assert export_runs([make_run(tmp_path / "custom-1")], uri).n_updated == 1
    [there] = exported(client(uri))
    assert there.info.status == "FINISHED"
    history = client(uri).get_metric_history(there.info.run_id, "train_loss")
    assert [metric.step for metric in history] == [1, 2, 3]


@needs_mlflow
def test_an_export_that_was_cut_off_is_completed(
    client: Any, tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = database
    run = make_run(tmp_path / "custom-1")
    with monkeypatch.context() as patch:
        patch.setattr("mlflow.MlflowClient.log_artifact", _disk_full)
        with pytest.raises(UserError, match="no space"):
            export_runs([run], uri)
    assert export_runs([run], uri).n_updated == 1
    [there] = exported(client(uri))
    history = client(uri).get_metric_history(there.info.run_id, "train_loss")
    assert [metric.step for metric in history] == [1, 2, 3]


def _disk_full(*_: Any) -> None:
    raise OSError("no space")


@needs_mlflow
def test_a_store_that_is_none_is_named(client: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--mlflow nonsense://x: "):
        export_runs([make_run(tmp_path / "custom-1")], "nonsense://x")


@pytest.mark.parametrize(
    ("uri", "artifacts", "takes"),
    [
        ("sqlite:///a.db", "file:///a_artifacts/1", True),
        ("postgresql://lab/runs", "/home/me/mlruns/1", False),
        ("postgresql://lab/runs", "s3://lab/1", True),
        ("http://lab:5000", "mlflow-artifacts:/1", True),
    ],
)
def test_no_files_are_left_in_the_working_directory(uri: str, artifacts: str, takes: bool) -> None:
    assert _takes_files(uri, artifacts) is takes


def test_without_mlflow_the_way_to_get_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(UserError, match=r"pip install 'convscope\[track\]'"):
        export_runs([], f"sqlite:///{tmp_path}/runs.db")
