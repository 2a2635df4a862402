"""The package as a whole: what importing it costs, what it ships, what it is installed with."""

import importlib
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest

import convscope

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "convscope"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())

HEAVY = {
    "espeakng_loader",
    "matplotlib",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "scipy",
    "sklearn",
    "soundfile",
    "soxr",
    "torch",
}

HELP = """
import sys
from convscope.cli import main

sys.argv = ["convscope", {command}"--help"]
try:
    main()
finally:
    print(*sorted({{name.split(".")[0] for name in sys.modules}}), file=sys.stderr)
"""

MODULES = sorted(
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    for path in PACKAGE.rglob("*.py")
    if path.name not in ("__init__.py", "__main__.py")
)


@pytest.mark.parametrize("command", ["", '"train", '])
def test_help_imports_nothing_heavy(command: str) -> None:
    script = HELP.format(command=command)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout
    assert HEAVY & set(done.stderr.split()) == set()


@pytest.mark.parametrize("name", MODULES)
def test_every_module_imports(name: str) -> None:
    importlib.import_module(name)


def test_the_installed_version_is_the_one_in_the_source() -> None:
    try:
        installed = version("convscope")
    except PackageNotFoundError:
        pytest.skip("convscope is not installed here, only on the path")
    assert installed == convscope.__version__


def test_every_file_beside_the_code_is_shipped() -> None:
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["*"]
    packages = [path.parent for path in PACKAGE.rglob("__init__.py")]
    shipped = {file for package in packages for p in patterns for file in package.glob(p)}
    beside = {p for p in PACKAGE.rglob("*") if p.is_file() and p.suffix not in (".py", ".pyc")}
    assert beside - shipped == set()


def test_every_requirement_is_pinned() -> None:
    wanted = [*PROJECT["build-system"]["requires"], *PROJECT["project"]["dependencies"]]
    for extra in PROJECT["project"]["optional-dependencies"].values():
        wanted += extra
    pinned = re.findall(r"^([a-z0-9-]+)==", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert {_name(requirement) for requirement in wanted} - {"convscope", *pinned} == set()


def _name(requirement: str) -> str:
    words = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert words
    return re.sub(r"[-_.]+", "-", words[0]).lower()
