# Two commands on a machine that has only Python 3.11+ with venv, git and make:
#
#   make demo    a forge, a server, a worker, a real push, and what came of it; ends by itself
#   make test    what CI runs
#
# All that is installed goes into .venv; nothing is written outside this directory, but for what
# people push to  make up : it is kept in ~/.local/state/tea-runner, where  make clean  does not reach.

SHELL := /bin/sh
.DEFAULT_GOAL := help

# The first Python that is new enough; name another one with  make PYTHON=/path/to/python3
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { command -v $$python; break; }; done)

# Programs of .venv come first: git-annex of its wheel, and a python3 with OpenCV.
IN_VENV := PATH="$(CURDIR)/.venv/bin:$$PATH"
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 .venv/bin/python -m pip --quiet --no-input
ARGS ?=

.PHONY: help
help:
	@sed -n 's/^## //p' Makefile

## make demo      set everything up, push a dataset, show its results, change one input, push again
.PHONY: demo
demo: .venv/made
	@$(IN_VENV) .venv/bin/tea-runner demo $(ARGS)

## make up        the same servers, kept running until Ctrl-C
.PHONY: up
up: .venv/made
	@$(IN_VENV) .venv/bin/tea-runner up $(ARGS)

QUICK := not gitea and not engine and not browser and not cluster and not long and not soak

## make test      lint, types, units, contracts and one scenario per room;  make test ARGS='-k glob'
.PHONY: test
test: lint
ifeq ($(strip $(ARGS)),)
	@$(call pytest,-m '$(QUICK)' --ignore=tests/flow)
	@$(MAKE) --no-print-directory cover
else
	@$(call pytest,-m 'not soak' $(ARGS))
endif

## make cover     how much of tea_runner/flow its own tests run; less than 85 % is a failure
.PHONY: cover
cover: .venv/made-dev
	@COVERAGE_FILE=.venv/coverage $(call pytest,-q -m '$(QUICK)' tests/flow) \
	--cov=tea_runner.flow --cov-branch --cov-report=term:skip-covered --cov-fail-under=85 $(ARGS)

## make test-forge | test-engines | test-browser | test-cluster | test-long   the other tests, each group
##                with its programs; a missing program is a failure
.PHONY: test-forge test-engines test-browser test-cluster test-long test-all
test-forge: .venv/made-dev
	@TEA_TEST_REQUIRE='gitea git redis-server' $(call pytest,-m 'gitea and not soak' $(ARGS))
test-engines: .venv/made-dev
	@TEA_TEST_REQUIRE='apptainer docker docker-registry podman bwrap' $(call pytest,-m 'engine and not soak' $(ARGS))
test-browser: .venv/made-dev
	@TEA_TEST_REQUIRE='chromium' $(call pytest,-m 'browser and not soak' $(ARGS))
test-cluster: .venv/made-cluster
	@TEA_TEST_REQUIRE='redis-server bwrap slurmctld dask kubernetes-validate' $(call pytest,-m 'cluster and not soak' $(ARGS))
test-long: .venv/made-long
	@TEA_TEST_REQUIRE='redis-server bwrap git git-annex-remote-uncurl minio moto_server nats-server mosquitto' $(call pytest,-m 'long and not gitea and not engine and not browser and not cluster and not soak' $(ARGS),worksteal)

## make test-all   every test but the hour's soak
test-all: test test-forge test-engines test-browser test-cluster test-long

pytest = $(IN_VENV) .venv/bin/python -m pytest -n 2 --dist $(or $(2),loadfile) $(1)

## make edits     a hundred edits of a dataset, push by push, each compared with a run from nothing
.PHONY: edits
edits: .venv/made-dev
	@$(IN_VENV) .venv/bin/python -m pytest -q -n 2 tests/e2e/test_any_edits.py $(ARGS)

## make fuzz      random input for every reader of strangers' words, for long;  make fuzz TIMES=5000
.PHONY: fuzz
TIMES ?= 500
fuzz: .venv/made-dev
	@$(IN_VENV) TEA_FUZZ=$(TIMES) .venv/bin/python -m pytest -q tests/fuzz tests/core/test_redact.py $(ARGS)

## make faults    the tests of faults, and for hours: thousands of kills, an hour's soak; rewrites their table
.PHONY: faults
faults: MINUTES ?= 60
faults: KILLS ?= 5000
faults: .venv/made-dev
	@rm -f .venv/faults.jsonl
	@$(IN_VENV) TEA_FAULTS_REPORT="$(CURDIR)/.venv/faults.jsonl" TEA_FAULTS_LONG="$(KILLS)" \
	TEA_FAULTS_MINUTES="$(MINUTES)" .venv/bin/python -m pytest -q tests/faults $(ARGS); code=$$?; \
	.venv/bin/python -m tests.faults.report .venv/faults.jsonl; exit $$code

## make lint      rules, format, types, and which module may import which
.PHONY: lint
lint: .venv/made-dev
	@.venv/bin/ruff check --quiet .
	@.venv/bin/ruff format --check --quiet --diff .
	@.venv/bin/mypy --no-error-summary
	@.venv/bin/lint-imports --no-logo >.venv/imports.log 2>&1 || { cat .venv/imports.log; exit 1; }

## make lock      pin the dependencies of the image anew, with hashes (needs pip-tools of the image's Python on PATH)
LOCK = pip-compile --quiet --upgrade --generate-hashes --allow-unsafe --strip-extras --no-annotate --no-header \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host
.PHONY: lock
lock:
	@$(LOCK) --build-deps-for wheel -o deploy/requirements.lock pyproject.toml
	@$(LOCK) --build-deps-for wheel --extra demo -o deploy/requirements-demo.lock pyproject.toml
	@$(LOCK) -o deploy/requirements-sbom.lock deploy/requirements-sbom.in

## make audit     known vulnerabilities of the pinned dependencies (needs pip-audit on PATH and a network)
.PHONY: audit
audit:
	@command -v pip-audit >/dev/null || { \
	    echo "not run: pip-audit is missing; install it: pip install pip-audit"; exit 0; }; \
	log=$$(pip-audit --require-hashes --disable-pip -r deploy/requirements-demo.lock 2>&1); code=$$?; \
	echo "$$log"; \
	case "$$log" in *ConnectionError*|*"Max retries"*) \
	    echo "not run: the database of vulnerabilities cannot be reached"; exit 0;; \
	    *"could not be audited"*) echo "not run for $$(echo "$$log" | grep -c 'could not be audited')" \
	    "dependencies: the database does not know them"; exit $$code;; esac; \
	exit $$code

## make bench     how fast, beside the peers; the table is written into docs/explanation/performance.md
.PHONY: bench
bench: .venv/made-dev
	@$(IN_VENV) .venv/bin/python -m benchmarks $(ARGS)

## make bench-long  the same with a million files, 100,000 datums, 64 workers; takes an hour and more
.PHONY: bench-long
bench-long: .venv/made-dev
	@$(IN_VENV) .venv/bin/python -m benchmarks --long $(ARGS)

## make clean     remove what the commands above made
.PHONY: clean
clean:
	@rm -rf .venv .tea .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist

# A virtual environment knows its own place: after the checkout was moved, it is made again.
ifneq ($(shell cat .venv/made 2>/dev/null),$(CURDIR))
.venv/made: moved
endif
.PHONY: moved
moved:
	@rm -rf .venv

.venv/made: pyproject.toml
	@test -n "$(PYTHON)" || { echo "make: Python 3.11 or newer is needed; \
	found: $$(python3 --version 2>&1 || echo none). Next: apt install python3 python3-venv, \
	or make PYTHON=/path/to/python3" >&2; exit 1; }
	@command -v "$(PYTHON)" >/dev/null || { echo "make: $(PYTHON) does not exist. \
	Next: make PYTHON=/path/to/python3" >&2; exit 1; }
	@command -v git >/dev/null || { echo "make: git is needed and is not on PATH. \
	Next: apt install git" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	echo "make: $(PYTHON) is older than Python 3.11. \
	Next: make PYTHON=/path/to/a/newer/python3" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
	echo "make: $(PYTHON) cannot make virtual environments. Next: apt install python3-venv" >&2; exit 1; }
	@.venv/bin/python -c '' 2>/dev/null || { echo "Setting up .venv, once: its packages are downloaded, which takes one to three minutes." >&2; \
	"$(PYTHON)" -m venv --clear .venv; }
	@$(call install,.[demo])
	@printf '%s' "$(CURDIR)" >$@

.venv/made-dev: .venv/made
	@$(call install,.[demo$(comma)dev])
	@touch $@

.venv/made-long: .venv/made-dev
	@$(call install,.[demo$(comma)dev$(comma)uncurl])
	@touch $@

.venv/made-cluster: .venv/made-dev
	@$(call install,.[demo$(comma)dev$(comma)cluster])
	@$(PIP) install kubernetes-validate
	@touch $@

## make manifests deploy/kubernetes/base anew, from the defaults of the chart (needs helm on PATH)
.PHONY: manifests
manifests:
	@helm template tea-runner deploy/kubernetes/chart >deploy/kubernetes/base/tea-runner.yaml

comma := ,
define install
$(PIP) install --editable '$(1)' >.venv/install.log 2>&1 || { \
echo "make: the dependencies could not be installed: \
$$(sed -n 's/^ *ERROR: //p' .venv/install.log | sed -n 1p). \
Next: see .venv/install.log, check the network and PIP_INDEX_URL, then the same command again" >&2; exit 1; }
endef
