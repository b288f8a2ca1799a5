# WorkerTrail: the verbs. None asks a question; everything goes to .venv and data/.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin

.PHONY: install demo spark test lint types format lock pictures evaluate clean
.DEFAULT_GOAL := install

install: .venv/.installed        ## install into .venv; leaves .venv/bin/workertrail

demo: .venv/.installed           ## install and run the main job over a world with known attacks
	$(BIN)/workertrail demo

spark: .venv/.installed-spark    ## install the second engine and run a world on a Spark master with two workers
	$(BIN)/python -m benchmarks.spark_world

test: .venv/.installed-dev       ## install and run every test
	$(BIN)/pytest -n auto --dist loadfile

lint: .venv/.installed-dev       ## style, as CI sees it
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.installed-dev      ## types, as CI sees them
	$(BIN)/mypy

format: .venv/.installed-dev     ## rewrite to the house's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: .venv/.installed-dev       ## pin every dependency anew, with hashes (needs uv)
	scripts/lock

pictures: .venv/.installed-dev   ## make the README's pictures anew (needs Debian's Chromium)
	scripts/pictures

evaluate: .venv/.installed       ## measure attribution and detection over the reporting seeds; writes docs/measured.md
	scripts/evaluate

clean:                           ## remove the installation and all state
	rm -rf .venv data/lake data/dagster data/demo data/spark

.venv/bin/python:
	scripts/venv $(PYTHON)

.venv/.installed: requirements.lock pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

.venv/.installed-spark: requirements-spark.lock .venv/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-spark.lock
	touch $@

.venv/.installed-dev: requirements-dev.lock .venv/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@
