# The D2M market: `make demo` runs it, `make test` tests it; both set up what they need on first use.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Foreign Python settings would mix other packages into the project's own environment.
unexport PYTHONHOME PYTHONPATH

BIN := .venv/bin
ARGS ?=
# A file's tests share a chain, so files go to workers whole. A debugger needs one process: ARGS="-n 0".
TEST := $(BIN)/ape test tests --numprocesses logical --maxprocesses 4 --dist loadfile

.PHONY: help setup demo test test-all chaos reproduce statistics gas model-check mutations audit bench-learning check format clean

help: ## show this help
	@echo 'make <target> [ARGS="…"]'
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name what; do \
		printf '%-14s  %s\n' "$$name" "$$what"; done
	@echo 'Variables of the set-up:'
	@echo '  PYTHON     the Python to use (3.10 to 3.12); found by itself otherwise'
	@echo '  D2M_TORCH  cpu (the CPU build or none) or cuda (what your package index gives, 5 GB); else cpu where it can be had'
	@echo '  D2M_SOLC   a solc 0.8.37, or the folder with solc-v0.8.37, instead of the download'
	@echo 'pip and npm keep their own settings; proxies come from HTTPS_PROXY.'

setup: ## install packages, compiler and compiled contracts, unless in place
	@tools/setup/setup.sh

demo: setup ## run the market once: make demo ARGS="--rounds 3 --seed 7" (ARGS="--help" explains)
	@$(BIN)/ape run demo $(ARGS)

test: setup ## run the tests, without those marked slow, ipfs or clients: make test ARGS="-k auction"
	@$(TEST) -m "not slow and not ipfs and not clients" $(ARGS)

test-all: ## run all tests, also those that need geth and Kubo (built from source, with Go) or Ray, which are installed for them
	@tools/setup/setup.sh clients ray
	@$(TEST) $(ARGS)

chaos: setup ## play jobs while processes, chain and IPFS nodes are killed and cut off at random: ARGS="--jobs 5 --seed 2"
	@$(BIN)/python -m tools.chaos $(ARGS)

reproduce: setup ## run the paper's experiments, hours, and rebuild docs/experiments: ARGS="--full"
	@$(BIN)/python -m experiments run $(ARGS)

statistics: setup ## simulate the vote with the contract's arithmetic: docs/experiments/yoda.md
	@$(BIN)/python -m experiments run yoda $(ARGS)

gas: setup ## measure the gas of every call and the size of every contract: docs/gas
	@$(BIN)/python -m tools.gas

model-check: setup ## play the whole market against its model, 100,000 steps: docs/model-check.md
	@$(BIN)/python -m tools.model_check.thorough --record docs/model-check.md $(ARGS)

mutations: setup ## plant a bug at a time and have the state machine find it: docs/mutations.md
	@$(BIN)/python -m tools.model_check.mutations --record docs/mutations.md $(ARGS)

audit: ## slither and halmos on the contracts, with tools of their own: docs/audit
	@tools/setup/setup.sh audit
	@$(BIN)/python -m tools.audit.main

bench-learning: ## a round of learning beside Flower and pfl-research, with environments of their own: docs/experiments/bench.md
	@tools/setup/setup.sh bench
	@$(BIN)/python -m experiments.speed.main $(ARGS)

check: setup ## formatting, lint and types of Python and Solidity
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/forge fmt --check contracts tests/proofs
	node_modules/.bin/solhint --noPoster --disc --max-warnings 0 'contracts/**/*.sol'

format: setup ## format Python and Solidity
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .
	$(BIN)/forge fmt contracts tests/proofs

clean: ## remove what runs and builds leave behind; keeps .venv, node_modules and .tools
	rm -rf build .build contracts/.cache .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find offchain scripts tools tests -name __pycache__ -type d -prune -exec rm -rf {} +
