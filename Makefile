# Each target sets up what it needs: a virtual environment in .venv, system packages through apt.
PYTHON ?= python3
JOBS   ?= $(shell nproc 2>/dev/null || echo 2)
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check -qq

.PHONY: help demo test lint pytest regress bench setup clean distclean
.DEFAULT_GOAL := help

help:
	@echo "make demo       real images through a real pruned network on the SCNN RTL"
	@echo "make test       everything that must hold: lint, types, all tests, both simulators"
	@echo "make regress    the long runs: whole networks in RTL, 500 seeds per design"
	@echo "make bench      speeds and sizes, as JSON in build/bench.json"
	@echo "make setup      the virtual environment alone; then $(BIN)/sparseforge --help"
	@echo "make clean      remove what was built; distclean removes the environment too"

setup: $(VENV)/.run

# To run: what the demo and the command line need.
$(VENV)/.run: pyproject.toml constraints.txt .ci/system
	@.ci/system $(PYTHON)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing Python packages into $(VENV) (minutes, once)" >&2
	@$(PIP) install -c constraints.txt -e .
	@touch $@

# To develop: what the tests need besides.
$(VENV)/.dev: $(VENV)/.run
	@$(PIP) install -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(VENV)/.run
	$(BIN)/python -m sparseforge.demo

test: lint pytest

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/mypy

pytest: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "not regress" --durations 20

regress: $(VENV)/.dev
	$(BIN)/python -m pytest -m regress --durations 0
	SPARSEFORGE_SEEDS=500 $(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "not regress" \
		--durations 20 tests/*/test_top*.py

bench: $(VENV)/.dev
	$(BIN)/python -m sparseforge.bench -o build/bench.json

clean:
	rm -rf build .pytest_cache .mypy_cache .ruff_cache *.egg-info
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)
