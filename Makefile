# Everything that is done with the project, from a bare Debian 12 with python3-venv, git and make.
# It works as root and as an ordinary user, and from any folder with `make -C`; only the tests that boot real hosts need root.
# `make` alone lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := help

PYTHON ?= python3
UV_VERSION := 0.13.9
JOBS ?= $(shell nproc)
BENCH_ARGS ?=

BIN := .venv/bin
UV := .venv/.uv-$(UV_VERSION)
PROJECT := pyproject.toml uv.lock
SOURCES = $(shell find $(wildcard src tests examples docs changes) -name '.*' -prune -o -type f -not -name '*.pyc' -print)

# uv installs what uv.lock says into the .venv beside this file, whatever the user's own settings are. It does not read
# pip's configuration; a certificate authority that the machine trusts is trusted here too.
export UV_PROJECT_ENVIRONMENT := .venv
export UV_PYTHON_DOWNLOADS := never
export UV_SYSTEM_CERTS := 1
export UV_NO_PROGRESS := 1
unexport VIRTUAL_ENV
SYNC = $(BIN)/uv sync --quiet --frozen --inexact --python $(BIN)/python --extra postgres

SHOP := examples/shop/shop.py
SHOP_SECRET := examples/shop/.secrets/app-password
PYTEST := $(BIN)/python -m pytest -n $(JOBS) --dist worksteal
UNIT := tests/unit tests/tidy tests/golden
LONG := tests/property tests/fault tests/e2e
DEBIAN_POSTGRES := /usr/lib/postgresql/15/bin
DEBIAN_HOSTS := $(addprefix /usr/bin/,mmdebstrap ip ssh gpg gpg-agent systemd-analyze) /usr/sbin/sshd
DEBIAN_VM := $(addprefix /usr/bin/,qemu-system-x86_64 qemu-img genisoimage) /usr/sbin/mke2fs
COVER := --cov --cov-report= --cov-fail-under=0

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---------------------------------------------------------------------------------------------------- environment

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'purvey needs Python 3.11 or later; name one with' >&2; echo '  make PYTHON=/path/to/python3.11 …' >&2; exit 1; }
	@$(PYTHON) -m venv .venv || \
	  { echo 'The virtual environment could not be made; on Debian the module comes with' >&2; \
	    echo '  apt install python3-venv' >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@touch $@

.venv/.demo: $(UV) $(PROJECT)
	@$(SYNC)
	@touch $@

.venv/.dev: $(UV) $(PROJECT)
	@$(SYNC) --group dev
	@touch $@ .venv/.demo

.venv/.docs: $(UV) $(PROJECT)
	@$(SYNC) --group docs
	@touch $@

.venv/.bench: $(UV) $(PROJECT)
	@$(SYNC) --group bench
	@touch $@

.PHONY: venv
venv: .venv/.dev ## Make .venv with the package, its extras and the developers' tools

# ----------------------------------------------------------------------------------------------------------- demo

$(SHOP_SECRET):
	@umask 077; mkdir -p $(@D); $(PYTHON) -c 'import secrets; print(secrets.token_urlsafe(24), end="")' > $@

.PHONY: demo
demo: .venv/.demo $(SHOP_SECRET) ## Run the example shop on this machine: a database, a web service, checks
	@$(BIN)/purvey apply $(SHOP) --env dev --yes
	@printf '\nThe shop is up: %s\nIt is taken down by\n\n  %s destroy %s --env dev --yes\n' \
	  "$$($(BIN)/purvey outputs $(SHOP) --env dev --json | $(BIN)/python -c 'import json, sys; print(json.load(sys.stdin)["url"])')" \
	  "$(CURDIR)/$(BIN)/purvey" "$(CURDIR)/$(SHOP)"

.PHONY: fleet
fleet: .venv/.demo $(DEBIAN_HOSTS) ## Ten machines on this one for examples/fleet, and a shell among them; as root
	@$(BIN)/python examples/fleet/lab.py

# --------------------------------------------------------------------------------------------------------- checks

.PHONY: check
check: .venv/.dev ## Linters, types, layers, tidy, unit and golden tests; under 3 minutes, installs included
	@$(MAKE) --no-print-directory --keep-going --jobs=2 --output-sync=target lint types unit

.PHONY: lint
lint: .venv/.dev
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/interrogate $(wildcard src tests examples docs bench)

.PHONY: types
types: .venv/.dev
	@$(BIN)/mypy $(wildcard src tests examples bench)

.PHONY: unit
unit: .venv/.dev
	@rm -f .build/unit-passed
	@$(MAKE) --no-print-directory .build/unit-passed

# A file, so that `make test` after `make check` does not run the same tests again, and alone runs them all.
.build/unit-passed: .venv/.dev $(SOURCES)
	@mkdir -p .build/coverage
	@COVERAGE_FILE=.build/coverage/unit $(PYTEST) $(COVER) $(wildcard $(UNIT))
	@touch $@

# $(call install,PACKAGES) of the system's, as root or with sudo.
define install
apt() { $$sudo apt-get -qq -o DPkg::Lock::Timeout=300 "$$@" >/dev/null; }; \
  sudo= ; if [ "$$(id -u)" != 0 ]; then sudo='sudo -n'; fi; \
  apt install -y --no-install-recommends $(1) 2>/dev/null || { apt update && apt install -y --no-install-recommends $(1); } || \
  { echo 'The tests need packages that root installs with' >&2; echo '  apt install $(1)' >&2; exit 1; }
endef

# The other release that a store may be on. No cluster is made with it: tests make their own.
$(DEBIAN_POSTGRES)/postgres:
	@sudo= ; if [ "$$(id -u)" != 0 ]; then sudo='sudo -n'; fi; \
	  [ -e /etc/postgresql-common/createcluster.conf ] || { $$sudo mkdir -p /etc/postgresql-common && \
	    echo 'create_main_cluster = false' | $$sudo tee /etc/postgresql-common/createcluster.conf >/dev/null; }
	@$(call install,postgresql-15)

# What real hosts are made of, and reached with.
$(DEBIAN_HOSTS) &:
	@$(call install,mmdebstrap iproute2 openssh-client openssh-server gpg gpg-agent systemd)

# What a virtual machine is made of.
$(DEBIAN_VM) &:
	@$(call install,qemu-system-x86 qemu-utils genisoimage e2fsprogs)

.PHONY: test
test: .build/unit-passed $(DEBIAN_POSTGRES)/postgres $(DEBIAN_HOSTS) ## Every test, the long suites as a seeded sample; under 25 minutes, installs included
	@COVERAGE_FILE=.build/coverage/long $(PYTEST) $(COVER) $(wildcard $(LONG))
	@PURVEY_TEST_POSTGRES=$(DEBIAN_POSTGRES) $(PYTEST) tests/unit/state tests/property/test_snapshot.py tests/e2e/test_server_store.py \
	  -k 'postgres or server'
	@$(BIN)/coverage combine --quiet --keep --data-file=.build/coverage/data .build/coverage/unit .build/coverage/long
	@$(BIN)/coverage report --data-file=.build/coverage/data

.PHONY: test-all
test-all: export PURVEY_TEST_FULL := 1
test-all: .venv/.dev $(DEBIAN_HOSTS) ## Every test, the long suites at full count with a fresh seed, and test-vm
	@$(PYTEST) --ignore=tests/vm tests
	@$(MAKE) --no-print-directory test-vm

# Each process brings up a machine of its own: no more of them than soon pay for that. Without KVM a test may take ten minutes.
VMS = $(shell echo $$(($(JOBS) < 4 ? $(JOBS) : 4)))

.PHONY: test-vm
test-vm: .venv/.dev $(DEBIAN_HOSTS) $(DEBIAN_VM) ## Boot a real Debian in QEMU: systemd, cloud-init, swap, reboot; as root
	@$(BIN)/python -m pytest -n $(VMS) --dist worksteal -o faulthandler_timeout=3600 tests/vm

.PHONY: test-faults
test-faults: export PURVEY_TEST_FULL := 1
test-faults: .venv/.dev ## Kill, stop and fail runs at every point, with a fresh seed; under 90 minutes
	@$(PYTEST) tests/fault tests/property

.PHONY: fix
fix: .venv/.dev ## Let the linter and the formatter mend what they can
	@$(BIN)/ruff check --fix-only
	@$(BIN)/ruff format

.PHONY: mutants
mutants: .venv/.dev ## Change the engine in small ways and see whether a test notices; hours
	@$(BIN)/mutmut run

# ------------------------------------------------------------------------------------------------- bench and docs

ALCHEMY_VERSION := 0.94.0
ALCHEMY := .build/alchemy/.$(ALCHEMY_VERSION)

# Where npm is missing, bench/engine.py says so and measures the others.
$(ALCHEMY):
	@mkdir -p $(@D)
	@if command -v npm >/dev/null; then npm install --prefix $(@D) --ignore-scripts --legacy-peer-deps --omit=optional \
	  --no-audit --no-fund --silent alchemy@$(ALCHEMY_VERSION) && touch $@; fi

.PHONY: bench
bench: .venv/.bench $(ALCHEMY) ## Measure the engine beside its peers; BENCH_ARGS='--n 1000 --json'
	@$(BIN)/python bench/engine.py $(BENCH_ARGS)

PEERS := .build/peers/.done

$(PEERS): bench/hosts_peers.txt | $(UV)
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(@D)
	@$(BIN)/uv pip install --quiet --python $(@D)/bin/python --require-hashes -r $<
	@touch $@

.PHONY: bench-hosts
bench-hosts: .venv/.dev $(PEERS) /usr/sbin/sshd ## Measure configuring hosts beside Ansible and pyinfra, as root; BENCH_ARGS='--hosts 1,10'
	@$(BIN)/python bench/hosts.py $(BENCH_ARGS)

.PHONY: bench-journal
bench-journal: .venv/.dev ## Measure what it costs to write everything down first; BENCH_ARGS='--runs 1 --json'
	@PYTHONPATH=. $(BIN)/python bench/journal.py $(BENCH_ARGS)

.PHONY: docs
docs: .venv/.docs ## Build the documentation into site/; a warning is an error
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo 'site/index.html'

.PHONY: clean
clean: ## Remove what was built; the state of the demo stays
	@rm -rf .venv .build .ruff_cache .import_linter_cache .hypothesis dist mutants site
	@find . -name __pycache__ -prune -exec rm -rf {} +
