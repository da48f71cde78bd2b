# Everything needs Python 3.11+, venv, git and make; the rest is set up here, inside .venv, from uv.lock.
# Paths stay relative, so that a checkout may lie in a folder with spaces in its name.

PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
SEED ?= 1
MINUTES ?= 10
# A cache of its own: a read-only home is enough, and a second run needs no network.
export UV_CACHE_DIR := .venv/uv-cache
export UV_PYTHON_DOWNLOADS := never
# Trust what the machine trusts, as pip does, where it has a store of certificates.
export UV_SYSTEM_CERTS := $(if $(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt),true,false)
export UV_PROJECT_ENVIRONMENT := .venv
export PIP_NO_CACHE_DIR := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Compiled modules are kept, whatever the environment says: a start takes 1.5 s with them and 8 s without.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: rehearse test check lint format bench chaos clean help

help:  ## Show what there is
	@grep -hE '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

rehearse: .venv/runtime  ## Run the whole main job against the built-in stand-ins (ARGS=--json, ARGS=--keep)
	@$(BIN)/tocsin rehearse $(ARGS)

test: .venv/dev  ## Run all tests that need no server (ARGS=... goes to pytest)
	@$(BIN)/pytest $(ARGS)

check: lint test  ## Lint, types, import contracts, tests

lint: .venv/dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: .venv/dev  ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: .venv/bench  ## Measure, beside other senders (docs/performance.md; ARGS=--full, ARGS=--json, ...)
	@$(BIN)/python -m tests.bench $(ARGS)

chaos: .venv/dev  ## Kill, halt, cut and starve it for longer than `make test` does (SEED=1, MINUTES=10; docs/faults.md)
	@$(BIN)/python -m tests.faults --seed $(SEED) --minutes $(MINUTES) $(ARGS)

clean:  ## Remove what was set up
	rm -rf .venv

.venv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Tocsin needs Python 3.11 or newer; set PYTHON=python3.11")'
	@echo "Setting up .venv ..." >&2
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet 'uv>=0.9,<1'

.venv/runtime: .venv/bin/uv pyproject.toml uv.lock
	@$(BIN)/uv sync --frozen --inexact --no-dev --quiet
	@touch $@

.venv/dev: .venv/bin/uv pyproject.toml uv.lock
	@$(BIN)/uv sync --frozen --inexact --quiet
	@touch $@

.venv/bench: .venv/bin/uv pyproject.toml uv.lock
	@$(BIN)/uv sync --frozen --inexact --group bench --quiet
	@touch $@
