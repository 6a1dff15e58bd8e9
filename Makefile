# `make demo` trains a model on a real 4-validator network; `make test` runs every test. Both set up all they need.
# DEMO='--data FILE.csv --label COLUMN' and TESTS='tests/unit -k word' pass options on.
PYTHON ?= python3
VENV := .venv
DEMO ?= --accuracy-min-ppm 950000
BIN := $(VENV)/bin

.PHONY: demo test style clean

demo: $(VENV)/.demo
	$(BIN)/gradus localnet demo $(DEMO)

test: $(VENV)/.test
	$(BIN)/python -m pytest $(TESTS)

style: $(VENV)/.test
	$(BIN)/python -m pytest -q tests/style

$(VENV)/.demo: setup.cfg constraints.txt | $(BIN)/python
	@echo "installing Gradus and what it needs into $(VENV)"
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[demo]'
	@touch $@

$(VENV)/.test: setup.cfg constraints.txt | $(BIN)/python
	@echo "installing Gradus, what it needs and what its tests need into $(VENV)"
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[demo,test]'
	@touch $@ $(VENV)/.demo

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo "Gradus needs Python 3.11, 3.12 or 3.13 (what its dependencies have wheels for);" \
		"name one with make PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) build dist *.egg-info
