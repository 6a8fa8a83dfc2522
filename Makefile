# Developers' shorthands. Everything here calls run.py or a tool of its virtual environment.
PYTHON ?= python3
VENV := .venv/bin/python

.PHONY: start test lint format setup lock

start:
	$(PYTHON) run.py

test:
	$(PYTHON) run.py test

setup:
	$(PYTHON) run.py setup

lint: setup
	$(VENV) -m ruff format --check .
	$(VENV) -m ruff check .
	.venv/bin/lint-imports

format: setup
	$(VENV) -m ruff format .
	$(VENV) -m ruff check --fix .

# A fresh resolve on the oldest Python we support; review the difference, then run the tests.
lock:
	rm -rf .venv-lock && python3.11 -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet --only-binary :all: -r requirements.txt
	.venv-lock/bin/python -m mlplatform.embedded.lock_files requirements.lock
	.venv-lock/bin/python -m pip install --quiet --only-binary :all: -r requirements-dev.txt
	.venv-lock/bin/python -m mlplatform.embedded.lock_files requirements-dev.lock
	rm -rf .venv-lock
