# Everything is done in .venv, which is made when it is not there. `make PYTHON=...` picks another
# Python; pip's own configuration (PIP_INDEX_URL, PIP_FIND_LINKS) says where packages come from.

SHELL := bash
.SHELLFLAGS := -o pipefail -c

PYTHON ?= $(or $(shell command -v python3.11),$(shell command -v python3))
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALLED := .venv/installed

# Each test process computes on one core, so that two of them do not fight for two cores.
TEST_ENV := OMP_NUM_THREADS=1
TEST_PROCESSES ?= 2

stop = { echo "Python 3.11 or newer is needed, but $(1); say make PYTHON=/path/to/python" >&2; exit 1; }

.PHONY: help demo test lint types layers unit docs clean
.DEFAULT_GOAL := help

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s%s\n", $$1, $$2 }' Makefile

demo: $(INSTALLED)  ## the whole tour in under three minutes, no data needed; prints its page's path
	@$(BIN)/convscope demo

test: lint types layers unit  ## all that must be green: lint, types, layers, unit

lint: $(INSTALLED)  ## ruff: mistakes and formatting
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

types: $(INSTALLED)  ## mypy, strict
	@$(BIN)/mypy

layers: $(INSTALLED)  ## import-linter: imports go one way
	@$(BIN)/lint-imports --no-logo

unit: $(INSTALLED)  ## pytest
	@$(TEST_ENV) $(BIN)/python -m pytest -n $(TEST_PROCESSES)

docs: $(INSTALLED)  ## the documentation as a site in site/, searchable without a network
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo site/index.html

clean:  ## remove .venv and every cache; runs, data and the demo's page stay
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist site
	find src tests -name __pycache__ -prune -exec rm -rf {} +
	rm -rf src/*.egg-info

# Written last, so an installation that was broken off is taken up again by the next call.
$(INSTALLED): pyproject.toml constraints.txt src/convscope/version.py
	@test -n "$(PYTHON)" || $(call stop,there is no python3)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || $(call stop,$(PYTHON) is older)
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| $(call stop,$(PYTHON) has no venv: install python3-venv (its Debian name) or another Python)
	@echo "Installing into .venv: some minutes the first time" >&2
	@$(PIP) --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@$(PIP) install --quiet --constraint constraints.txt pip setuptools
	@$(PIP) install --constraint constraints.txt --no-build-isolation --editable '.[dev]' \
		| sed --unbuffered --quiet '/^ *Downloading\|^Processing\|^Installing/p' >&2
	@touch $@
