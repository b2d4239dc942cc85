.DELETE_ON_ERROR:
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
IMAGE  ?= cloudstack-metacontroller:dev
TARGET ?= hooks
BASE   ?=
ENGINE ?=
PARTS  ?=

.PHONY: help setup lock run demo check check-types check-all-else format reference manifests test test-clusters test-shifted \
  cluster bench image pin-base metacontroller sbom version clean

help:  ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(VENV)/.installed  ## make .venv with everything for running, checking and testing

$(VENV)/.installed: requirements-dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@

# For every Python from 3.11 on and every platform. What is locked stays, unless requirements*.txt asks
# for another version: UPGRADE=--upgrade takes the newest of everything else.
LOCK = UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --universal \
  --python-version 3.11 --generate-hashes --no-annotate $(UPGRADE)
lock: setup  ## write requirements*.lock from requirements*.txt, with the hash of every file
	$(LOCK) requirements.txt --output-file requirements.lock
	$(LOCK) requirements-dev.txt --constraints requirements.lock --output-file requirements-dev.lock

run: setup  ## hooks (PORT), metrics (METRICS_PORT), simulated CloudStack (SIMULATOR_PORT)
	$(BIN)/python -m tools.run

demo: setup  ## two Nodes and a load balancer, from registration to deletion, by the hooks alone
	$(BIN)/python -m tools.demo

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
	$(BIN)/python -m tools.actionlint
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

# As many as tests/conftest.py says.
WORKERS ?= auto

# Folder by folder, and last the files that share a control plane: --no-loadscope-reorder keeps the order
# of collection. The tests start hundreds of processes from these sources, so compile the sources once.
unexport PYTHONDONTWRITEBYTECODE
test: check  ## check, then every test
	$(BIN)/python -c "from tools import actionlint, binaries, helm, promtool; \
	  [each.ensure() for each in (binaries, helm, actionlint, promtool)]"
	$(BIN)/python -m pytest --numprocesses=$(WORKERS) --dist=loadfile --no-loadscope-reorder \
	  -m "not documentation"

test-clusters: setup  ## the tests end to end and of the manifests, on the Metacontroller of METACONTROLLER_BIN if there is one
	$(BIN)/python -m pytest --numprocesses=$(WORKERS) --dist=loadfile --no-loadscope-reorder tests/e2e tests/deploy

test-shifted: setup  ## the tests without Go parts, 400 days ahead and behind, in other time zones
	$(BIN)/python -m tools.shifted

cluster: setup  ## a real API server, Metacontroller, the hooks and the simulator, until Ctrl-C
	$(BIN)/python -m tests.e2e

bench: setup  ## measure what waves of work cost, and how that grows (PARTS: some only)
	$(BIN)/python -m tests.bench $(PARTS)

# Sets `engine`, or ends with what is missing.
define find-engine
engine="$(ENGINE)"; \
for each in docker podman nerdctl; do \
  [ -n "$$engine" ] || ! $$each info >/dev/null 2>&1 || engine=$$each; \
done; \
if [ -z "$$engine" ]; then \
  echo "$@: no container engine answers here (docker, podman, nerdctl);" \
    "start one, or name one with ENGINE=…" >&2; \
  exit 1; \
fi
endef

image:  ## build the container image (IMAGE, BASE; TARGET is hooks or simulator; ENGINE is docker, podman or nerdctl)
	@$(find-engine); \
	set -x; $$engine build $(if $(BASE),--build-arg BASE=$(BASE)) --target $(TARGET) --tag $(IMAGE) .

pin-base:  ## write the digest that the base image's tag has now into the Dockerfile
	@$(find-engine); \
	base=$$(sed -n 's/^ARG BASE=\([^@]*\).*/\1/p' Dockerfile); \
	$$engine pull --quiet "$$base" >/dev/null; \
	digest=$$($$engine image inspect --format '{{index .RepoDigests 0}}' "$$base" | sed -n 's/.*@//p'); \
	case "$$digest" in \
	  sha256:*) sed -i.before "s|^ARG BASE=.*|ARG BASE=$$base@$$digest|" Dockerfile; rm Dockerfile.before ;; \
	  *) echo "pin-base: $$engine knows no digest of $$base" >&2; exit 1 ;; \
	esac

# The version that the cloud controller brings along.
metacontroller:  ## copy the real Metacontroller from its image into .programs/
	@$(find-engine); \
	image=$$(sed -n 's|.*name: \(ghcr.io/metacontroller/metacontroller\)$$|\1|p' $(METACONTROLLER_IN)); \
	tag=$$(sed -n 's/.*newTag: \(v.*\)/\1/p' $(METACONTROLLER_IN)); \
	set -ex; mkdir -p .programs; \
	made=$$($$engine create "$$image:$$tag"); \
	$$engine cp "$$made:/usr/bin/metacontroller" .programs/metacontroller; \
	$$engine rm "$$made" >/dev/null
METACONTROLLER_IN = deploy/cloud-controller/kustomization.yaml

version: setup  ## write VERSION wherever it stands, and give the changelog's section its date
	$(BIN)/python -m tools.release version $(VERSION)
	$(MAKE) --no-print-directory reference

sbom: setup  ## write what the image holds, as CycloneDX (sbom.cdx.json)
	$(BIN)/python -m tools.sbom sbom.cdx.json

clean:  ## remove what setup, checks and tests made here
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
