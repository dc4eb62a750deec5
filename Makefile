# The few verbs of a developer's day. `make env` first.
PY ?= .venv/bin/python

env:            ## a development environment in .venv, as locked
	python3 -m venv .venv && .venv/bin/pip install -r requirements-dev.lock && .venv/bin/pip install --no-deps -e .
test:           ## the tests that need no torch
	$(PY) -m pytest -q
lint:           ## ruff and mypy --strict
	$(PY) -m ruff check src tests benchmarks training examples && $(PY) -m ruff format --check src tests && $(PY) -m mypy
format:         ## rewrite with ruff
	$(PY) -m ruff check --fix src tests benchmarks training examples && $(PY) -m ruff format src tests
demo:           ## what works, as a page
	$(PY) -m maskwright.cli.main demo
bench:          ## every figure in docs/benchmarks.md
	$(PY) benchmarks/all.py
faults:         ## every row of the reliability table, with its figure
	$(PY) benchmarks/faults.py
ci:             ## what must pass before a change lands
	bash .ci/run

.PHONY: env test lint format demo bench faults ci
