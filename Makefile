# `make up` starts a trap, `make test` runs all checks; both first set up what is missing.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV   := .venv
DATA   ?= data
STAMPS := $(VENV)/stamps
BIN    := $(VENV)/bin
ASSETS := src/urltrap/site/static/build/manifest.json
# Lock files are complete, so they are installed with --no-deps: pip would otherwise weigh newer
# releases for a requirement with an extra (`coverage[toml]`), find one that has no hash, and stop.
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Where the environment forbids bytecode, each process of each test would compile the project anew.
unexport PYTHONDONTWRITEBYTECODE
# One more than two cores have: tests of the whole system mostly wait.
TEST_WORKERS ?= 3
# Tests of the pure rooms never wait.
PURE_WORKERS ?= 2

# Coverage of the pure rooms is that of their own tests: a line that an end-to-end test happens to pass is not tested.
PURE_TESTS := $(addprefix tests/,model wire machine recover analysis judge golden)

.PHONY: help up setup assets geo test setup-test system-packages check lint types floors tests screenshots lock clean

help:
	@echo "make up       set up what is missing and start a trap with its data in ./$(DATA)"
	@echo "make test     set up what is missing and run all checks"
	@echo "              (GEO=--without-cities: 134 MB of the disk less, attackers are placed by country)"
	@echo "make check    all checks, when everything is set up"
	@echo "make screenshots  write pictures of every page into docs/screenshots"
	@echo "make lock     write the lock files after a dependency changed (UPGRADE=--upgrade: take newest)"
	@echo "make clean    remove everything that make made; never ./$(DATA)"

# ---- running ----

up: setup
	@if [ ! -e "$(DATA)/urltrap.toml" ]; then $(BIN)/urltrap init "$(DATA)"; fi
	@exec $(BIN)/urltrap up --data "$(DATA)"

setup: $(STAMPS)/project $(STAMPS)/geo

assets: $(ASSETS)

geo: $(STAMPS)/geo

# The interpreter: the newest well-tried one that is installed.
$(STAMPS)/venv:
	@python=; \
	for candidate in $(PYTHON) python3.13 python3.12 python3.11 python3; do \
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    python=$$candidate; break; \
	  fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "urltrap needs Python 3.11 or newer, and found none (python3 is: $$(python3 --version 2>&1))." >&2; \
	  echo "Install one, or name it: make up PYTHON=/path/to/python3.12" >&2; \
	  exit 1; \
	fi; \
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	  version=$$("$$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	  echo "$$python cannot create virtual environments. On Debian and Ubuntu run:" >&2; \
	  echo "  sudo apt-get install python$$version-venv" >&2; \
	  exit 1; \
	fi; \
	echo "virtual environment with $$("$$python" --version)"; \
	"$$python" -m venv $(VENV); \
	mkdir -p $(STAMPS); touch $@

$(STAMPS)/lock: requirements.lock | $(STAMPS)/venv
	@echo "dependencies"
	@$(PIP) install --require-hashes --no-deps -r requirements.lock
	@touch $@

$(STAMPS)/node: frontend/node.lock | $(STAMPS)/venv
	@if ! $(BIN)/python frontend/npm.py; then \
	  echo "Node.js for the front-end build"; \
	  $(PIP) install --require-hashes -r frontend/node.lock; \
	fi
	@touch $@

# assets.py compares contents and does nothing when they are unchanged.
$(ASSETS): $(wildcard frontend/src/*) frontend/build.mjs frontend/package-lock.json | $(STAMPS)/node
	@echo "front-end assets"
	@$(BIN)/python frontend/assets.py
	@touch $@

$(STAMPS)/geo: geodata/package-lock.json geodata/install.py | $(STAMPS)/node
	@echo "city, country and network files"
	@$(BIN)/python geodata/install.py $(GEO)
	@touch $@

$(STAMPS)/project: pyproject.toml hatch_build.py $(STAMPS)/lock $(ASSETS)
	@echo "urltrap"
	@$(PIP) install --no-deps --no-build-isolation --no-index --editable .
	@touch $@

# ---- checking ----

test: setup-test
	@$(MAKE) --no-print-directory check

setup-test: setup $(STAMPS)/dev $(STAMPS)/peers $(STAMPS)/axe system-packages

$(STAMPS)/dev: requirements-dev.lock $(STAMPS)/lock
	@echo "development tools"
	@$(PIP) install --require-hashes --no-deps -r requirements-dev.lock
	@touch $@

# Programs that the tests talk to; apart, for one of them installs a package that is called `tests`.
$(STAMPS)/peers: tests/peers.lock $(STAMPS)/lock
	@$(PIP) install --require-hashes --no-deps --upgrade --target $(VENV)/peers -r tests/peers.lock
	@touch $@

# What finds problems of accessibility in the pages.
$(STAMPS)/axe: tests/site/axe/package-lock.json | $(STAMPS)/node
	@$(BIN)/python frontend/npm.py ci tests/site/axe
	@touch $@

system-packages:
	@tests/system-packages

check: lint types floors tests

lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types:
	$(BIN)/mypy

floors:
	$(BIN)/lint-imports

tests:
	$(BIN)/python -m slipcover --json --out .slipcover.json -m pytest -n $(PURE_WORKERS) --dist loadscope --no-loadscope-reorder $(PURE_TESTS)
	@# Asked for its limit while it runs, slipcover loses what the workers saw before it prints the table.
	$(BIN)/python -m slipcover --merge .slipcover.json --out .slipcover.json --skip-covered --fail-under 90
	$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadscope --no-loadscope-reorder \
	  $(addprefix --ignore=,$(PURE_TESTS))

# ---- upkeep ----

screenshots: setup-test
	$(BIN)/python docs/screenshots.py
	$(BIN)/python docs/screenshots_public.py

# Lock files hold versions and hashes, never addresses: whoever installs uses their own package source.
# Versions stay as they are where they can; `make lock UPGRADE=--upgrade` takes the newest.
UV_COMPILE := uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --no-annotate $(UPGRADE)
lock: $(STAMPS)/venv
	@command -v uv > /dev/null || { echo "make lock needs uv: pipx install uv" >&2; exit 1; }
	$(UV_COMPILE) pyproject.toml --group build --output-file requirements.lock
	$(UV_COMPILE) pyproject.toml --group build --group dev --constraints requirements.lock --output-file requirements-dev.lock
	$(UV_COMPILE) --group node --output-file frontend/node.lock
	for folder in frontend geodata tests/site/axe; do (cd $$folder && npm install --package-lock-only); done

clean:
	rm -rf $(VENV) $(dir $(ASSETS)) frontend/node_modules geodata/node_modules tests/site/axe/node_modules
	rm -rf .slipcover.json .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
