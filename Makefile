# Everything runs inside .venv, which the first target that needs it makes; nothing is written outside this folder,
# except model files in the user's cache (`s2d assets list` shows where).
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
NOTEBOOKS := $(wildcard notebooks/*.ipynb)
OLD_PYTHON := "s2d needs Python 3.10 or newer; name one, as in: make PYTHON=python3.11 test"

.DEFAULT_GOAL := help
.PHONY: help install test lint docs format demo clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18

install: .venv/installed  ## make .venv with the package and the tools for its development
	@echo "Installed. Call $(BIN)/s2d, or 'source .venv/bin/activate' once and then s2d"

test: lint docs  ## lint, the documentation, then all tests, doctests and notebooks
	$(BIN)/pytest $(if $(NOTEBOOKS),--nbmake s2d tests $(NOTEBOOKS))

lint: .venv/installed  ## ruff, mypy --strict, the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

docs: .venv/installed  ## the documentation, in docs/_build/html/index.html; a warning is an error
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going docs docs/_build/html

format: .venv/installed  ## let ruff lay out the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

demo: .venv/installed  ## the whole path on a built-in sample, ending in demo/index.html
	$(BIN)/s2d demo --out demo

clean:  ## remove .venv and everything that was built, trained or cached in this folder
	rm -rf .venv build dist demo runs lightning_logs wandb .*_cache .hypothesis docs/_build docs/notebooks

# Three things that fresh machines lack: a Python that can make environments with pip inside (Debian packs it apart: the
# machine's own pip then brings one), a pip that is not years old, and the windowing libraries that OpenCV asks for
# (containers: its build without windows is then laid over the one that face-alignment and scenedetect require).
.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and $(OLD_PYTHON))'
	@echo "Installing s2d into .venv; the first time this takes some minutes ..."
	@$(PYTHON) -m venv .venv >/dev/null || $(PYTHON) -m venv --without-pip --clear .venv
	@$(BIN)/python -c 'import pip' 2>/dev/null \
		|| $(PYTHON) -m pip install --quiet --target .venv/lib/python3*/site-packages pip
	$(PIP) install --quiet --constraint constraints.txt --upgrade pip
	$(PIP) install --quiet --constraint constraints.txt --editable '.[dev]'
	@$(BIN)/python -c 'import cv2' 2>/dev/null \
		|| $(PIP) install --quiet --constraint constraints.txt --force-reinstall --no-deps opencv-python-headless
	@touch $@
