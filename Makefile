# What to do with this repository; `make` lists it.
SHELL := /bin/sh
PYTHON := .venv/bin/python
PYTEST := $(PYTHON) -m pytest
# Tests wait more than they work; those of one file share the daemons that the file needs.
AT_ONCE := --numprocesses 3 --dist loadfile --no-loadscope-reorder
# What the daemon itself does: driven directly, its steps and caches, the files that it gets.
OF_THE_ENGINE := tests/integration/engine \
	$(addprefix tests/integration/test_,cache_rules.py cold_worker.py containerd_store.py differential.py sources.py)
LOCKED = --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-annotate $(UPGRADE)
.DEFAULT_GOAL := help
# Dozens of services and workers start here: they keep what they compiled, even where the environment says otherwise.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

.PHONY: setup
setup: ## install what is missing: Debian packages, .venv from the lock files
	@sh deploy/setup.sh

.PHONY: up
up: setup ## run Redis, service and worker here until Ctrl-C
	@$(PYTHON) -m deploy.local up

.PHONY: demo
demo: setup ## build, push and run examples/hello through API, queue and worker
	@$(PYTHON) -m deploy.demo

.PHONY: engine28
engine28: ## fetch the current Docker Engine beside the installed one, if the machine's package sources have it
	@sh deploy/engines/fetch.sh || echo "engine28: could not be fetched; tests run on the installed engine only"

.PHONY: tools
tools: ## fetch what checks the files of deploy/: prometheus, nginx
	@sh deploy/tools/fetch.sh || echo "tools: could not be fetched; the tests that need them are skipped"

.PHONY: valkey
valkey: ## fetch Valkey, if the machine's package sources have it
	@sh deploy/valkey/fetch.sh || echo "valkey: could not be fetched; the test with it is skipped"

.PHONY: check
check: setup ## lint, format, types, import contracts, spelling, docs that say what the code does, known vulnerabilities
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy
	@.venv/bin/lint-imports
	@$(PYTHON) -m codespell_lib
	@$(PYTHON) -m deploy.manual check
	@$(PYTHON) -m deploy.audit

.PHONY: docs
docs: setup ## make the manual as a site in dist/docs; a warning or a dead link is an error
	@$(PYTHON) -m deploy.manual build

.PHONY: test
test: setup engine28 tools valkey ## run all tests on a real Redis, dockerd and registry; those of the engine on 28.x as well
	@$(PYTEST) $(AT_ONCE)
	@if [ -x .cache/engine28/usr/sbin/dockerd ]; then echo "those of the engine, on Engine 28:"; \
		SHIPWAY_TEST_ENGINE=28 $(PYTEST) $(AT_ONCE) -m "not engine_independent" $(OF_THE_ENGINE); \
	else echo "NOT run on Engine 28: it could not be fetched"; fi

.PHONY: test-engine28
test-engine28: setup engine28 tools ## run on Engine 28.x all tests that another engine could fail; `make test` runs but the first of them
	@SHIPWAY_TEST_ENGINE=28 $(PYTEST) $(AT_ONCE) -m "not engine_independent" tests/integration

.PHONY: fuzz
fuzz: setup ## 10,000 hostile inputs for each reader of what strangers send
	@SHIPWAY_FUZZ_INPUTS=10000 $(PYTEST) --timeout 3600 tests/fuzz

.PHONY: chaos
chaos: setup ## faults on the real stack, one by one; ROUNDS=200 for random ones under load
	@$(if $(ROUNDS),$(PYTHON) -m tests.chaos --rounds $(ROUNDS) $(if $(SEED),--seed $(SEED)),$(PYTEST) tests/chaos)

.PHONY: bench
bench: setup ## measure against docker itself, in one run, as ratios
	@$(PYTHON) -m bench

.PHONY: screenshots
screenshots: setup ## photograph the console's pages into docs/screenshots
	@$(PYTHON) -m deploy.screenshots

.PHONY: pin
pin: setup ## write the digests of the images that deploy/ names into its files, as their registries tell
	@$(PYTHON) -m deploy.pin

.PHONY: lock
lock: setup ## pin every dependency with its hashes; UPGRADE=--upgrade takes the newest of all
	@.venv/bin/uv pip compile $(LOCKED) pyproject.toml --extra service --extra workers --extra telemetry -o requirements.lock
	@.venv/bin/uv pip compile $(LOCKED) pyproject.toml --extra service --extra workers --extra telemetry --group dev deploy/build.in \
		-o requirements-dev.lock
	@.venv/bin/uv pip compile $(LOCKED) deploy/bootstrap.in -o deploy/bootstrap.lock

.PHONY: proto
proto: setup ## generate the protobuf modules anew
	@.venv/bin/python -m workers.engine.session.proto

.PHONY: clean
clean: ## remove what was made here
	@rm -rf .venv .cache dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
