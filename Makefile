PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BENCH := .bench-venv

.PHONY: run test faults lint bench env clean

run: env            ## open the workbench on a bundled recipe (headless where stdout is no terminal)
	@if [ -t 1 ]; then $(BIN)/goodfit recipes/digits.yaml; else $(BIN)/goodfit train recipes/digits.yaml; fi

test: env           ## run the whole suite
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4

faults: env         ## kill workers at random and let system calls fail, with counts (minutes; strace for the latter)
	$(BIN)/python -m tests.faults

lint: env           ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(BENCH)/.installed  ## measure against loops and libraries, in an environment of its own (QUICK=1: a short look)
	OMP_NUM_THREADS=1 $(BENCH)/bin/python -m bench $(if $(QUICK),--quick,--write)
	@[ -n "$(QUICK)" ] || for part in mapped recording augment step_profile; do \
	  OMP_NUM_THREADS=1 $(BENCH)/bin/python -m bench.$$part || exit 1; done

$(BENCH)/.installed: bench/requirements.txt bench/install.py pyproject.toml constraints.txt
	@echo "Setting up $(BENCH) with the libraries to compare with: two minutes, this once."
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/pip install --quiet --constraint constraints.txt --editable .
	$(BENCH)/bin/python bench/install.py
	@touch $@

env: $(STAMP)       ## make the environment

$(STAMP): pyproject.toml constraints.txt
	@echo "Setting up $(VENV): about a minute, this once."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) $(BENCH) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
