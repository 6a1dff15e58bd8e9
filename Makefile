# `make demo` trains a model on a real 4-validator network; `make test` runs every test. Both set up all they need.
# DEMO='--data FILE.csv --label COLUMN' and TESTS='tests/unit -k word' pass options on.
# `make test-engines` runs the tests that use an engine once for each release in ENGINES, and says which passed.
PYTHON ?= python3
VENV := .venv
DEMO ?= --accuracy-min-ppm 950000
ENGINES ?= 0.38.25 0.39.4 0.40.0
WORKERS := -n auto --maxprocesses 4 --dist loadscope --no-loadscope-reorder
BIN := $(VENV)/bin
# Once for all: else every worker, and every node of its networks, would compile the same kernels at the same time.
COMPILE := $(BIN)/python -c 'from localnet.progress import warm_visibly; warm_visibly()'
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt --editable

.PHONY: demo test test-engines style clean

demo: $(VENV)/.demo
	$(BIN)/gradus localnet demo $(DEMO)

test: $(VENV)/.test
	@echo "compiling the kernels, unless they are (about a minute)"
	@$(COMPILE)
	$(BIN)/python -m pytest $(WORKERS) $(TESTS)

test-engines: $(VENV)/.test
	@$(COMPILE)
	@said=; failed=; for version in $(ENGINES); do \
		echo "== CometBFT $$version"; \
		if GRADUS_COMETBFT_VERSION=$$version $(BIN)/python -m pytest $(or $(TESTS),-m net); \
		then said="$$said\n$$version passed"; else said="$$said\n$$version FAILED"; failed=1; fi; \
	done; printf "CometBFT releases:$$said\n"; test -z "$$failed"

style: $(VENV)/.test
	$(BIN)/python -m pytest -q tests/style

$(VENV)/.demo: setup.cfg constraints.txt | $(BIN)/python
	@echo "installing Gradus and what it needs into $(VENV): two to five minutes"
	@$(INSTALL) '.[demo]'
	@touch $@

$(VENV)/.test: setup.cfg constraints.txt | $(BIN)/python
	@echo "installing Gradus, what it needs and what its tests need into $(VENV): two to five minutes"
	@$(INSTALL) '.[demo,test]'
	@touch $@ $(VENV)/.demo

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo "Gradus needs Python 3.11, 3.12 or 3.13 (what its dependencies have wheels for);" \
		"name one with make PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) build dist *.egg-info
