# Two commands are all that a newcomer needs: `make demo` and `make test`. Each makes a virtual
# environment if there is none, installs what it lacks, and runs.

PYTHON      ?= python3
VENV        ?= .venv
CONSTRAINTS ?= constraints.txt
TEST_EXTRA  ?= test
WORKERS     ?= auto
DATA        ?=
TARGET      ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
SOURCES := sknn tests docs benchmarks

.PHONY: help demo test test-oldest lint format docs clean

help:
	@echo "make demo [DATA=table.parquet TARGET=column]   the quickstart, on a shipped table or on yours"
	@echo "make test                                      all tests and doctests"
	@echo "make test-oldest                               the same with the oldest supported versions"
	@echo "make lint                                      ruff and pyright"
	@echo "make format                                    let ruff rewrite the sources"
	@echo "make docs                                      the HTML pages, gallery executed"
	@echo "make clean                                     remove environments, caches and outputs"

demo: $(VENV)/.installed-demo
	$(BIN)/python docs/gallery/quickstart.py $(if $(DATA),--data "$(DATA)") $(if $(TARGET),--target "$(TARGET)")

# One thread per worker: the workers already keep all cores busy. With worksteal, tests of a file mostly stay in one
# worker, which fits the models that they share once.
test: $(VENV)/.installed-$(TEST_EXTRA)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --maxprocesses 8 $(ARGS)

test-oldest:
	$(MAKE) --no-print-directory test VENV=.venv-oldest CONSTRAINTS=constraints-oldest.txt TEST_EXTRA=test-oldest

lint: $(VENV)/.installed-test $(VENV)/.installed-lint
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/pyright --pythonpath $(BIN)/python

format: $(VENV)/.installed-lint
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

docs: $(VENV)/.installed-docs
	$(BIN)/python -m sphinx -b html docs docs/_build/html

clean:
	rm -rf .venv .venv-oldest build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	rm -rf docs/_build docs/auto_gallery docs/generated docs/sg_execution_times.rst docs/gallery/output
	find sknn tests docs -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "sknn needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)

# One stamp per extra of pyproject.toml: a second call installs nothing, and a changed requirement does.
# The build backend comes first so that it, too, is the constrained version.
$(VENV)/.installed-%: pyproject.toml $(CONSTRAINTS) | $(BIN)/python
	$(PIP) install --quiet -c $(CONSTRAINTS) setuptools
	$(PIP) install --quiet -c $(CONSTRAINTS) --no-build-isolation -e ".[$*]"
	@touch $@
