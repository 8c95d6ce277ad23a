# `make demo` runs the main job; `make test` passes the tests. Each does its own set-up.
# Targets build the whole workspace: one member alone selects other features, and dependencies are compiled twice.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

# Python peers and servers that the tests start (an S3-compatible server, Polars, DuckDB, delta-rs). PostgreSQL and
# MariaDB come from the distribution.
VENV ?= .venv
VENV_STAMP := $(VENV)/.installed-$(shell sha256sum requirements-test.txt | cut -c1-12)
# Absolute, because tests run in their crate's folder.
VENV_BIN := $(abspath $(VENV))/bin

# Real records that may not be shipped; without them the tests that need them say so and pass over.
XIANGYUN_REAL_DATA ?=
ifneq ($(XIANGYUN_REAL_DATA),)
export XIANGYUN_REAL_DATA := $(abspath $(XIANGYUN_REAL_DATA))
endif

DEMO_DIR ?= demo
LISTEN ?= 127.0.0.1:8080

.PHONY: help databases demo build test test-rust test-interop test-kill test-stress fuzz check fmt clippy doc deny bench clean-demo

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | column -t -s "$$(printf '\t')"

demo: ## Build, load the example, serve it on LISTEN (127.0.0.1:8080)
	cargo run --profile demo --package xiangyun -- demo --dir $(DEMO_DIR) --listen $(LISTEN)

build: ## Build the release binary
	cargo build --release --workspace

test: test-rust test-interop ## Install what the tests need and pass them all

test-rust: $(VENV_STAMP) databases
	XIANGYUN_FAULT_SCHEDULES=2000 XIANGYUN_MOTO=$(VENV_BIN)/moto_server cargo test --workspace --all-targets
	cargo test --workspace --doc

# Instant where the servers are there.
databases:
	@.ci/databases install

test-interop: $(VENV_STAMP)
	cargo build --workspace --all-targets
	$(VENV_BIN)/python -m pytest -q cli/tests/interop

KILLS ?= 1000
test-kill: $(VENV_STAMP) ## Kill a load KILLS times (1000) and check that nothing is lost or doubled
	KILLS=$(KILLS) cargo test --workspace --test it -- kill --nocapture

STRESS_PROCESSES ?= 16
STRESS_APPENDS ?= 100
test-stress: $(VENV_STAMP) ## Append from STRESS_PROCESSES (16) processes, STRESS_APPENDS (100) times each, with compaction and readers
	STRESS_PROCESSES=$(STRESS_PROCESSES) STRESS_APPENDS=$(STRESS_APPENDS) STRESS_COMMITS=1000 \
		XIANGYUN_MOTO=$(VENV_BIN)/moto_server cargo test --workspace --test it -- stress --nocapture --test-threads 1

FUZZ_SECONDS ?= 60
fuzz: ## Damage sound files of every kind for FUZZ_SECONDS (60) each and read them; a failing one is kept and named
	FUZZ_SECONDS=$(FUZZ_SECONDS) cargo test --workspace --test it -- fuzz:: --nocapture --test-threads 2

check: fmt clippy doc deny ## Format, lints, documentation, licences

fmt:
	cargo fmt --all --check

clippy:
	cargo clippy --workspace --all-targets -- -D warnings

doc:
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

deny: $(VENV_STAMP)
	PATH="$(VENV_BIN):$$PATH" cargo deny check bans licenses sources
	@PATH="$(VENV_BIN):$$PATH" cargo deny check advisories || echo "advisories: not checked or not clean (the database may be out of reach); not fatal"

BENCH_STAMP := $(VENV)/.installed-bench-$(shell sha256sum benches/requirements.txt | cut -c1-12)
bench: $(VENV_STAMP) $(BENCH_STAMP) ## Measure against DuckDB, and the server against ROAPI (wants wrk), in one run
	cargo build --release --workspace
	PYTHON=$(VENV_BIN)/python target/release/xiangyun-bench

$(VENV_STAMP): requirements-test.txt
	python3 -m venv $(VENV)
	$(VENV_BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-test.txt
	touch $@

$(BENCH_STAMP): $(VENV_STAMP) benches/requirements.txt
	$(VENV_BIN)/python -m pip install --quiet --disable-pip-version-check -r benches/requirements.txt
	touch $@
