# Everything a person types. Each target is one command; `.ci/run` calls the same ones.
SHELL := /bin/sh
ARGS ?=
# Tests that compare a generated file with the tree have one of the last two words in their names, and are unit tests or
# rules; UPDATE_GOLDEN=1 rewrites instead.
GENERATED := --workspace --lib --test rules -- up_to_date checked_in

.PHONY: help tools verifiers build run demo-clean test e2e torture year versions compat fuzz-api fmt fmt-check lint tidy gen check-gen bench deny sbom ci clean

help: ## Shows this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1\t\2/p' Makefile | awk -F '\t' '{ printf "  %-12s %s\n", $$1, $$2 }'

tools: ## Installs PostgreSQL and nats-server where they are missing
	deploy/install-servers.sh

verifiers: ## Fetches the official libraries that a test holds our webhook signatures against
	deploy/install-webhook-libraries.sh

build: ## Builds the program, the simulators and the demonstration
	cargo build -p cli -p simulators -p demo

run: tools build ## Starts everything with a demo seller and prints where to look; Ctrl-C ends it
	target/debug/demo $(ARGS)

demo-clean: ## Forgets the data of `make run`
	rm -rf .stock-tracker

test: tools verifiers ## Runs every test; the servers they need are started by themselves
	cargo build --workspace --all-targets
	cargo test -p events --features schema
	cargo test --workspace

e2e: tools ## Runs the journeys through the running system only
	cargo build --workspace --all-targets
	cargo test -p e2e $(ARGS)

torture: tools ## Runs the tests that kill and wipe things only
	cargo build --workspace --all-targets
	cargo test -p e2e accidents $(ARGS)

year: tools ## Plays sellers' years and compares every number; ARGS are handed on
	cargo run -p year -- $(ARGS)

fuzz-api: tools build ## Sends generated requests to the running product and holds its answers against the document
	tests/fuzz-api.sh

fmt: ## Formats the sources
	cargo fmt --all

fmt-check: ## Fails where `make fmt` would change something
	cargo fmt --all --check

lint: ## Runs clippy; warnings are errors
	cargo clippy --workspace --all-targets -- -D warnings

tidy: ## Checks the rules of the workspace: crate graph, style, pages, recipes
	cargo test --workspace --test rules

gen: ## Rewrites the generated files: settings page, OpenAPI document, schemas
	UPDATE_GOLDEN=1 cargo test $(GENERATED)
	UPDATE_GOLDEN=1 cargo test -p events --features schema

check-gen: ## Fails where `make gen` would change something
	cargo test $(GENERATED)
	cargo test -p events --features schema

versions: ## Fetches the further versions of PostgreSQL and nats-server that are supported
	deploy/install-versions.sh

compat: tools versions ## Tries every supported PostgreSQL and nats-server and writes docs/compatibility.md
	cargo build --workspace --all-targets
	ST_COMPAT=whole cargo test -p e2e compat

bench: tools ## Measures, each figure beside its limit; ARGS are handed on
	cargo run --release -p bench -- $(ARGS)

deny: ## Checks licences, banned packages and sources of every dependency
	deploy/install-cargo-tools.sh cargo-deny
	.tools/bin/cargo-deny --config .ci/deny.toml --log-level error check bans licenses sources

sbom: ## Writes the software bill of materials of the program to target/sbom/
	deploy/install-cargo-tools.sh cargo-cyclonedx
	.tools/bin/cargo-cyclonedx cyclonedx --manifest-path services/cli/Cargo.toml --quiet --format json \
		--spec-version 1.5 --describe binaries
	mkdir -p target/sbom
	mv services/cli/stock-tracker_bin.cdx.json target/sbom/stock-tracker.cdx.json
	rm -f tests/*/*_bin.cdx.json
	@echo 'written: target/sbom/stock-tracker.cdx.json'

ci: ## Runs the whole check, as it runs before a change is taken
	.ci/run

clean: ## Removes what was built; the data of `make run` stays
	cargo clean
