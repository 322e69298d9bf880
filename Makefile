# Every command for people: `make help` lists them. They need Python 3.11 or newer and make, nothing else.
PYTHON ?= python3
ENGINE ?= operaton
TESTS  ?= tests
WORKERS ?= $(if $(filter tests,$(TESTS)),2,0)
ARGS   ?=
EXAMPLES ?= 500
SEED   ?= $(shell date +%s)
SECONDS ?= 60

.DEFAULT_GOAL := help
.PHONY: help demo sandbox check test test-quick races chaos planted bench fuzz fuzz-parser lint schema lock clean

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/ready ## Start everything: three real systems, samples, the API (ARGS="--fresh", "--engine cibseven")
	@exec .venv/bin/plan-api demo $(ARGS)

sandbox: .venv/ready ## Start the three systems alone, and print the environment for `plan-api serve`
	@exec .venv/bin/plan-api sandbox $(ARGS)

check: .venv/ready ## Look at your own systems (by .env or the environment) and say what is wrong
	@exec .venv/bin/plan-api check

test: .venv/ready ## Run all tests on the real systems (ENGINE=camunda, TESTS=tests/stories, ARGS="--store aidbox-like", WORKERS=2)
	@exec .venv/bin/python -m pytest $(TESTS) --engine $(ENGINE) --numprocesses $(WORKERS) --dist worksteal $(ARGS)

test-quick: .venv/ready ## Run the tests for people at work: unit, contract, stories, calls, without the slow ones (under 3 minutes on 2 cores)
	@exec .venv/bin/python -m pytest tests/unit tests/contract tests/stories tests/calls -m "not slow" --engine $(ENGINE) --numprocesses 2 --dist worksteal $(ARGS)

races: .venv/ready ## Run the races hundreds of rounds each (ARGS="--seed 7 --rounds 1" is round 7 again)
	@exec .venv/bin/python -m pytest tests/races -s --timeout 0 --rounds 300 --seed $$(date +%s) $(ARGS)

bench: .venv/ready ## Compare with other servers, in ratios of one run (ARGS="--tasks 50 --rounds 3"; ARGS=--help)
	@exec .venv/bin/python -m tests.bench $(ARGS)

chaos: .venv/ready ## Kill, pause, cut and slow everything under load for minutes (ARGS="--seed 7 --minutes 2")
	@exec .venv/bin/python -m tests.chaos $(ARGS)

planted: .venv/ready ## Plant bugs in a copy of the tree, one at a time, and see the tests catch them (ARGS="--only tag")
	@exec .venv/bin/python -m tests.planted $(ARGS)

fuzz: .venv/ready ## Requests nobody thought of, on the real systems (EXAMPLES=500, SEED=7)
	@exec .venv/bin/python -m pytest tests/fuzz --examples $(EXAMPLES) --seed $(SEED) --timeout 3600 $(ARGS)

fuzz-parser: .venv/ready ## Coverage-guided fuzzing of what reads requests, on Linux (SECONDS=60); fetches atheris
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --target .fuzz/packages --upgrade -r tools/fuzz/requirements.txt
	@mkdir -p .fuzz/corpus
	@PYTHONPATH=.fuzz/packages .venv/bin/python tools/fuzz/parser.py -max_total_time=$(SECONDS) -timeout=5 -rss_limit_mb=2048 \
	  -max_len=4096 -dict=tools/fuzz/graphql.dict -artifact_prefix=.fuzz/ .fuzz/corpus tools/fuzz/seeds

lint: .venv/ready ## Style, types, import rules, schema.graphql, known vulnerabilities
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/plan-api schema | diff -u schema.graphql -
	.venv/bin/python tools/advisories.py requirements.production.lock

schema: .venv/ready ## Write schema.graphql anew
	.venv/bin/plan-api schema > schema.graphql

lock: ## Write the lock files anew from pyproject.toml (needs uv)
	uv lock --upgrade
	uv export --quiet --no-header --all-extras --all-groups --no-emit-project --output-file requirements.lock
	uv export --quiet --no-header --no-dev --no-emit-project --output-file requirements.production.lock

clean: ## Remove the environment and the sandbox's data
	rm -rf .venv .sandbox

.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make PYTHON=python3.13 …")'
	@echo "Making the environment in .venv, once"
	@if command -v uv >/dev/null; then \
	  uv venv --quiet --clear --python "$(PYTHON)" .venv && \
	  uv pip install --quiet --python .venv --require-hashes -r requirements.lock && \
	  uv pip install --quiet --python .venv --no-build-isolation --no-deps -e . ; \
	else \
	  $(PYTHON) -m venv --clear .venv && \
	  .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock && \
	  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e . ; \
	fi
	@touch $@
