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
docs:           ## the site of docs/ in site/, in an environment of its own; fails on a warning or a dead link
	test -x .venv-docs/bin/mkdocs || (python3 -m venv .venv-docs && .venv-docs/bin/pip install -q -r docs/requirements.txt)
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict
bench:          ## every figure in docs/benchmarks.md; WITH="--data FOLDER" and the like go to benchmarks/all.py
	$(PY) benchmarks/all.py $(WITH)
faults:         ## every row of the reliability table, with its figure
	$(PY) benchmarks/faults.py
ci:             ## what must pass before a change lands
	bash .ci/run

.PHONY: env test lint format demo docs bench faults ci
