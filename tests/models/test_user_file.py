"""One place runs a user's file, and what that says and leaves behind."""

import ast
import sys
from functools import cache
from pathlib import Path

import pytest

import convscope
from convscope.errors import UserError
from convscope.models.user_file import function_of, run_file

PACKAGE = Path(convscope.__file__).parent

RUN_CODE = {"exec", "eval", "compile", "__import__"}
RUN_FILES = {"run_path", "run_module", "exec_module", "load_module"}
IMPORT_BY_NAME = {"import_module", "find_spec"}


def test_one_module_of_the_package_runs_files() -> None:
    callers = {
        path
        for path, call in _calls()
        if ast.unparse(call.func) in RUN_CODE or _last(call) in RUN_FILES
    }
    assert callers == {"models/user_file.py"}


def test_what_is_imported_by_name_is_never_what_a_file_says() -> None:
    """Each of these names modules of its own alone."""
    callers = {path for path, call in _calls() if _last(call) in IMPORT_BY_NAME}
    assert callers == {
        "__init__.py",
        "data/making/synthetic_words.py",
        "doctor.py",
        "sweeps/cluster/head_node.py",
        "training/fast/pooling.py",
    }


def test_nothing_is_unpickled() -> None:
    loads = [call for _, call in _calls() if ast.unparse(call.func) == "torch.load"]
    assert loads
    assert all("weights_only=True" in ast.unparse(call) for call in loads)
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text()
        assert not any(word in text for word in ("import pickle", "allow_pickle=True", "joblib"))


@cache
def _calls() -> list[tuple[str, ast.Call]]:
    """All calls in the package, with the files that they stand in."""
    return [
        (path.relative_to(PACKAGE).as_posix(), node)
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
    ]


def _last(call: ast.Call) -> str:
    return ast.unparse(call.func).rpartition(".")[2]


def test_what_was_read_is_run_whatever_the_file_says_now(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("raise SystemExit")
    module = run_file(path, b"def two(): return 2\n", "convscope_user_test", "mine.py:two")
    assert function_of(module, "two", "mine.py:two", "it")() == 2
    with pytest.raises(UserError, match=r"^mine\.py:six: mine\.py has no function six: define it$"):
        function_of(module, "six", "mine.py:six", "it")


def test_modules_beside_a_file_can_be_imported_where_that_is_wanted_and_only_meanwhile(
    tmp_path: Path,
) -> None:
    (tmp_path / "convscope_test_beside.py").write_text("x = 3\n")
    path, source = tmp_path / "mine.py", b"import convscope_test_beside\n"
    before = list(sys.path)
    with pytest.raises(UserError, match=r"failed as it was imported with ModuleNotFoundError: "):
        run_file(path, source, "convscope_user_test", "mine.py:f")
    run_file(path, source, "convscope_user_test", "mine.py:f", beside=True)
    assert sys.path == before
