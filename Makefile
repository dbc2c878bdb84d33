# `make help` lists what there is.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help run test lint format types contracts pytest fuzz fuzz-forms fuzz-api bench bench-budgets bench-start bench-throughput bench-storing bench-hosts soak restore-drill bench-engine bench-build bench-live bench-backtest bench-pages bench-copy bench-upgrade screenshots lock clean

help:  ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

run: $(VENV)/run.stamp  ## Install, migrate, and serve on HOST:PORT (127.0.0.1:8000).
	@sh requirements/ensure_libhs.sh $(BIN)/python || true
	@$(BIN)/python -m compileall -q bastion wsgi.py || true
	@$(BIN)/flask init
	@exec $(BIN)/gunicorn -c python:bastion.gunicorn wsgi:app

test: lint types contracts pytest  ## Check everything: lint, format, types, imports, and all tests.

lint: $(VENV)/test.stamp  ## Lint and check the format.
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/test.stamp  ## Check types.
	$(BIN)/mypy

contracts: $(VENV)/test.stamp  ## Check that imports run one way.
	$(BIN)/lint-imports

pytest: $(VENV)/test.stamp  ## Run the tests, on SQLite and PostgreSQL, with a real server and a real browser.
	@sh tests/ensure_chromium.sh
	@sh requirements/ensure_libhs.sh $(BIN)/python
	@sh tests/ensure_nginx.sh
	@$(BIN)/python -m compileall -q bastion tests wsgi.py
	$(BIN)/pytest --numprocesses $$(($$(getconf _NPROCESSORS_ONLN) + 1)) --maxprocesses 4 --dist loadfile --no-loadscope-reorder

format: $(VENV)/test.stamp  ## Rewrite the code in the house's format.
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

fuzz: $(VENV)/test.stamp  ## Hold the detector to a plain loop on a million random cases.
	@sh requirements/ensure_libhs.sh $(BIN)/python
	$(BIN)/python -m tests.engine.fuzz

fuzz-forms: $(VENV)/test.stamp  ## Send 10,000 random requests to every page and 10,000 to every form (SEED=... for the same again).
	RANDOM_REQUESTS=10000 RANDOM_SEED=$(or $(SEED),$(shell date +%s)) $(BIN)/pytest -s tests/security/test_random_requests.py

fuzz-api: $(VENV)/test.stamp  ## Hold the API to its description with 2 x 1,000 requests an operation (SEED=... for the same again).
	API_EXAMPLES=1000 API_SEED=$(or $(SEED),$(shell date +%s)) $(BIN)/pytest -s tests/api/test_openapi.py

bench:  ## Measure every budget of the design, one after the other, and print them: about three quarters of an hour.
	@for target in bench-engine bench-start bench-throughput bench-storing bench-pages bench-live bench-backtest bench-hosts bench-build bench-copy bench-upgrade bench-budgets; do \
	  echo; echo "== $$target"; $(MAKE) --no-print-directory $$target || failed="$$failed $$target"; \
	done; test -z "$$failed" || { echo "Failed:$$failed"; exit 1; }

bench-budgets: $(VENV)/test.stamp  ## Print the budgets of the design with what was measured last.
	@$(BIN)/python -m bench.budgets

bench-start: $(VENV)/test.stamp  ## Measure a start with 1,800 rules that were compiled before, beside a bare Flask route.
	@sh requirements/ensure_libhs.sh $(BIN)/python
	$(BIN)/python -m bench.start

bench-throughput: $(VENV)/test.stamp  ## Measure texts judged and stored a second beside a bare Flask route (SECONDS=5 of each round, AIDR=URL of one).
	@sh requirements/ensure_libhs.sh $(BIN)/python
	@command -v wrk >/dev/null || { echo "This needs wrk: apt-get install wrk"; exit 1; }
	$(BIN)/python -m bench.throughput $(if $(SECONDS),--seconds $(SECONDS)) $(if $(AIDR),--aidr $(AIDR))

bench-storing: $(VENV)/test.stamp  ## Measure events stored a second by how many share a transaction, and their size.
	$(BIN)/python -m bench.storing

bench-hosts: $(VENV)/test.stamp  ## Measure how soon an edit on one host is in force on another, a hundred times.
	@sh tests/ensure_nginx.sh
	$(BIN)/python -m bench.two_hosts

soak: $(VENV)/test.stamp  ## Load, and everything that can go wrong, for SECONDS=120 on each database; then count.
	$(BIN)/python -m bench.soak $(if $(SECONDS),--seconds $(SECONDS))

restore-drill: $(VENV)/test.stamp  ## Back up under load, restore elsewhere and compare, on both databases.
	$(BIN)/python -m bench.restore_drill

bench-engine: $(VENV)/test.stamp  ## Measure detection against a loop of compiled re (RULES=folder PROMPTS=file.jsonl for your own).
	@sh requirements/ensure_libhs.sh $(BIN)/python
	$(BIN)/python -m bench.engine $(if $(RULES),--rules $(RULES)) $(if $(PROMPTS),--prompts $(PROMPTS))

bench-build: $(VENV)/test.stamp  ## Measure what clients wait while 1,800 rules are compiled.
	@sh requirements/ensure_libhs.sh $(BIN)/python
	$(BIN)/python -m bench.build_under_load

bench-live: $(VENV)/test.stamp  ## Measure how soon a rule edit is in force in every worker.
	$(BIN)/python -m bench.live_rules

bench-backtest: $(VENV)/test.stamp  ## Measure events that a backtest tests a second (PROMPTS=file.jsonl for your own).
	$(BIN)/python -m bench.backtest $(if $(PROMPTS),--prompts $(PROMPTS))

bench-copy: $(VENV)/test.stamp  ## Measure flask database copy of 100,000 events both ways, interrupted once.
	$(BIN)/python -m bench.database_copy

bench-upgrade: $(VENV)/test.stamp  ## Measure the upgrade of an AIDR Bastion database with a million events, on both databases.
	$(BIN)/python -m bench.upgrade

bench-pages: $(VENV)/test.stamp  ## Measure every page at a million events, on both databases.
	$(BIN)/python -m bench.pages

screenshots: $(VENV)/test.stamp  ## Write pictures of every page to screenshots/.
	@sh tests/ensure_chromium.sh
	$(BIN)/python -m tests.browser.screenshots

lock:  ## Pin the newest dependencies that setup.cfg allows, with hashes.
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/pip install --quiet uv
	$(VENV)-lock/bin/uv pip compile --upgrade --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	  --custom-compile-command "make lock" setup.cfg requirements/build.in -o requirements/run.txt
	$(VENV)-lock/bin/uv pip compile --upgrade --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	  --custom-compile-command "make lock" --constraint requirements/run.txt --extra test setup.cfg requirements/build.in -o requirements/test.txt
	rm -r $(VENV)-lock

clean:  ## Remove what was installed and cached; instance/ stays.
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Bastion needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Python's venv module is missing: apt-get install python3-venv"; exit 1; }

$(VENV)/run.stamp: requirements/run.txt setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/pip install --disable-pip-version-check --require-hashes -r requirements/run.txt
	$(BIN)/pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/test.stamp: requirements/test.txt $(VENV)/run.stamp
	$(BIN)/pip install --disable-pip-version-check --require-hashes -r requirements/test.txt
	@touch $@
