.DELETE_ON_ERROR:
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
IMAGE  ?= cloudstack-metacontroller:dev

.PHONY: help setup run check format test image clean

help:  ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.installed  ## make .venv with everything that running, checking and testing need

$(VENV)/.installed: requirements.txt requirements-dev.txt constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt -c constraints.txt
	touch $@

run: setup  ## hooks (PORT), metrics (METRICS_PORT), simulated CloudStack (SIMULATOR_PORT)
	$(BIN)/python -m tools.run

check: setup  ## format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup  ## write the format that check asks for
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: check  ## check, then every test
	$(BIN)/python -m pytest
