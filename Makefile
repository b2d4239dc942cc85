.DELETE_ON_ERROR:
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
IMAGE  ?= cloudstack-metacontroller:dev
BASE   ?=
ENGINE ?=
PARTS  ?=

.PHONY: help setup run check check-types check-all-else format reference manifests test test-shifted \
  cluster bench image clean

help:  ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(VENV)/.installed  ## make .venv with everything for running, checking and testing

$(VENV)/.installed: requirements.txt requirements-dev.txt constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt -c constraints.txt
	touch $@

run: setup  ## hooks (PORT), metrics (METRICS_PORT), simulated CloudStack (SIMULATOR_PORT)
	$(BIN)/python -m tools.run

check: setup  ## format, lint, types, import contracts, YAML, manifests, documentation
	@$(MAKE) --no-print-directory --jobs=2 check-types check-all-else

# Takes as long as all the others together.
check-types:
	$(BIN)/mypy

check-all-else:
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/yamllint --strict .
	$(BIN)/python -m tools.manifests --check
	$(BIN)/python -m tools.helm
	$(BIN)/python -m pytest --quiet -m documentation

format: setup  ## write the format that check asks for
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

reference: setup  ## write the pages of docs/reference that are made from the code
	$(BIN)/python -m tools.reference
	$(BIN)/python -m simulator.reference

manifests: setup  ## write provider.yaml and the files of the Helm chart, both rendered from deploy/
	$(BIN)/python -m tools.manifests
	$(BIN)/python -m tools.chart

# Folder by folder, and last the files that share a control plane: --no-loadscope-reorder keeps the order
# of collection. The tests start hundreds of processes from these sources, so compile the sources once.
unexport PYTHONDONTWRITEBYTECODE
test: check  ## check, then every test
	$(BIN)/python -c "from tools import binaries, helm; binaries.ensure(); helm.ensure()"
	$(BIN)/python -m pytest --numprocesses=auto --dist=loadfile --no-loadscope-reorder \
	  -m "not documentation"

test-shifted: setup  ## the tests without Go parts, 400 days ahead and behind, in other time zones
	$(BIN)/python -m tools.shifted

cluster: setup  ## a real API server, Metacontroller, the hooks and the simulator, until Ctrl-C
	$(BIN)/python -m tests.e2e

bench: setup  ## measure what waves of work cost, and how that grows (PARTS: some only)
	$(BIN)/python -m tests.bench $(PARTS)

image:  ## build the container image (IMAGE, BASE; ENGINE is docker, podman or nerdctl)
	@engine="$(ENGINE)"; \
	for each in docker podman nerdctl; do \
	  [ -n "$$engine" ] || ! $$each info >/dev/null 2>&1 || engine=$$each; \
	done; \
	if [ -z "$$engine" ]; then \
	  echo "image: no container engine answers here (docker, podman, nerdctl);" \
	    "start one, or name one with ENGINE=…" >&2; \
	  exit 1; \
	fi; \
	set -x; $$engine build $(if $(BASE),--build-arg BASE=$(BASE)) --tag $(IMAGE) .

clean:  ## remove what setup, checks and tests made here
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
