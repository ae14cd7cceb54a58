# Every target does its own set-up: Python 3.11 to 3.13, git and make are all a machine needs.
PYTHON ?= $(shell for version in 3.12 3.13 3.11; do command -v python$$version >/dev/null 2>&1 && python$$version -c 'import venv' 2>/dev/null && echo python$$version && break; done || true)
BIN := .venv/bin
EXPERIMENT ?= experiments/quickstart.yaml

.PHONY: help setup quickstart procedural test test-ray test-rest test-jobs test-chaos test-long chaos check fmt bench bench-gpu rehearse-imagenet schema clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(BIN)/.ready ## create .venv and install the pinned packages

$(BIN)/.ready: requirements.lock pyproject.toml
	@test -n "$(or $(PYTHON),$(shell command -v python3))" || { echo "no Python 3.11, 3.12 or 3.13 found: install one, or name it: make PYTHON=/path/to/python $(MAKECMDGOALS)" >&2; exit 2; }
	@$(or $(PYTHON),python3) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { echo "Python 3.11, 3.12 or 3.13 is needed: make PYTHON=/path/to/python $(MAKECMDGOALS)" >&2; exit 2; }
	@test -x $(BIN)/python || $(or $(PYTHON),python3) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip sync --quiet --python $(BIN)/python requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@$(BIN)/python -m compileall -q g3dr orchestrator >/dev/null 2>&1 || true
	@$(BIN)/python -m g3dr.render.precompiling || true
	@touch $@

quickstart: setup ## pretrain, sweep and fine-tune on this machine; open the page it prints
	$(BIN)/g3dr run experiments/quickstart.yaml --yes

procedural: setup ## the same study at 64 px; about 45 minutes on two cores
	$(BIN)/g3dr run experiments/procedural.yaml --yes

test: setup ## the whole test suite
	@$(MAKE) --no-print-directory --jobs 2 test-ray test-rest test-jobs test-chaos

test-ray: setup ## the tests that need a Ray cluster, most of whose time is waiting for processes to start
	$(BIN)/pytest -m "ray and not jobs" --durations=15

test-jobs: setup ## the tests that submit jobs to a Ray cluster
	$(BIN)/pytest -m jobs --durations=15

test-rest: setup ## all other tests
	$(BIN)/pytest -m "not ray and not chaos" --durations=15

test-chaos: setup ## a small sample of chaos, on clusters of several nodes that the tests start themselves
	$(BIN)/pytest -m "chaos and not long" --durations=15

test-long: setup ## what takes too long for `make test`: clusters that grow, lose machines and for a while have none
	$(BIN)/pytest -m long

chaos: setup ## thirty seeded faults against one experiment, compared with the same left alone; about half an hour (CHAOS="--seed 2" and more)
	PYTHONPATH=.:tests nice -n 10 $(BIN)/python -m chaos $(CHAOS)

check: setup ## formatting, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check --no-cache .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/g3dr schema --check

fmt: setup ## format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup ## measure, interleaved, against named baselines
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.orchestration

bench-gpu: setup ## the same on a CUDA device, with frames and training images a second
	$(BIN)/python -m benchmarks --device cuda --json build/bench-gpu.json

rehearse-imagenet: setup ## plan and read a dataset of ImageNet's size with tiny pictures; 0.5 GB of disk, a few minutes
	$(BIN)/python -m benchmarks.rehearsal --read

schema: setup ## write experiments/schema.json for editors
	$(BIN)/g3dr schema

clean: ## remove the environment and build products, never results
	rm -rf .venv build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
