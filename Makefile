# What can be done here; `make help` lists it.

.PHONY: help run test check sim bench-clock bench-offset
.DEFAULT_GOAL := help

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "make run takes MUSIC=dir (what to play), DEMO_CARS=n, DEMO_SECONDS=n (end by itself, and judge what was heard)"
	@echo "and DEMO_SCRIPT=\"5 cut-internet; 8 pause; 10 play; 18 restore; 20 next\" (do that, and judge it),"
	@echo "DEMO_MESH=off (cars without links to each other)."
	@echo "make bench-clock takes SEED=n and PICTURES=dir (where it draws the errors over time: target/bench-clock)."
	@echo "make bench-offset takes CONDITIONS=\"clean skewed ...\" (all nine), SECONDS=n (of each: 180, a cut 1800),"
	@echo "CUT_AFTER=n (of these before the cut: 0), OUT=dir (logs and figures: target/bench-offset), PEERS=snapcast"
	@echo "(installs it) or none, PROGRAMS=dir (built ones)."
	@echo "make sim takes SCHEDULES=n and FIRST=seed (a part of many), JOBS=n, PLANTS=0 (without the planted bugs),"
	@echo "or SEED=n: that drive with its log (PLANT=name: with a bug planted)."

run: ## A convoy of three cars on this machine, over a real server: hear it, steer it
	@scripts/needs rust build run
	@cargo build --locked --profile demo --bins --example demo
	@cargo run --quiet --locked --profile demo --example demo

test: ## All tests
	@scripts/needs rust build run test
	@scripts/test

sim: ## Thousands of drives in the simulator, with every fault there is and bugs that have to be found
	@scripts/needs rust build
	@cargo run --quiet --locked --profile demo --no-default-features --features sim --example sim -- \
		$(if $(SEED),--seed $(SEED) $(if $(PLANT),--plant $(PLANT)),--schedules $(or $(SCHEDULES),2000) --first $(or $(FIRST),1) \
		$(if $(JOBS),--jobs $(JOBS)) $(if $(PLANTS),--plants $(PLANTS)))

bench-clock: ## The estimator of convoy time beside those of its peers, on modelled links; a table, pictures and JSON
	@scripts/needs rust build
	@cargo bench --quiet --locked --profile demo --no-default-features --bench clock -- \
		--seed $(or $(SEED),1) --pictures $(abspath $(or $(PICTURES),target/bench-clock))

bench-offset: ## How far apart three cars' sound cards are on bad roads, beside Snapcast; as root; a table and JSON
	@test "$$(id -u)" = 0 || { echo "it makes network namespaces, which takes root: sudo make bench-offset" >&2; exit 1; }
	@scripts/needs rig $(if $(PROGRAMS),,rust build) $(filter snapcast,$(PEERS))
	@$(if $(PROGRAMS),,cargo build --locked --profile demo --bins)
	@SECONDS_EACH=$(SECONDS) OUT=$(OUT) PEERS=$(PEERS) PROGRAMS=$(PROGRAMS) benches/rig.sh $(CONDITIONS)

check: ## Formatting, lints, documentation, licences and sources of all dependencies
	@scripts/needs rust build check
	@scripts/check
