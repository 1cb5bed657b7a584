# What can be done here; `make help` lists it.

.PHONY: help run test check
.DEFAULT_GOAL := help

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "make run takes MUSIC=dir (what to play), DEMO_CARS=n, DEMO_SECONDS=n (end by itself, and judge what was heard)"
	@echo "and DEMO_SCRIPT=\"5 cut-internet; 8 pause; 10 play; 18 restore; 20 next\" (do that, and judge it),"
	@echo "DEMO_MESH=off (cars without links to each other)."

run: ## A convoy of three cars on this machine, over a real server: hear it, steer it
	@scripts/needs rust build run
	@cargo build --locked --profile demo --bins --example demo
	@cargo run --quiet --locked --profile demo --example demo

test: ## All tests
	@scripts/needs rust build run test
	@scripts/test

check: ## Formatting, lints, documentation, licences and sources of all dependencies
	@scripts/needs rust build check
	@scripts/check
