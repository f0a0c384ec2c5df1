# Everything a newcomer or an operator types. Recipes use relative paths only, so a checkout may
# live in a directory whose name has a space in it.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help install run sandbox test test-all test-long test-servers lint audit docs format clean
.PHONY: bench-transport bench-servers bench-floods bench-dispatch bench-routing bench-conversations bench-splitting
.PHONY: bench-discord bench-start soak-transport soak-kill soak

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-19s %s\n", $$1, $$2 }' Makefile

install: $(STAMP) ## make .venv and install everything into it

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; try: make PYTHON=python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing into .venv (a minute the first time)" >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[sandbox,test]'
	@touch $(STAMP)

run: $(STAMP) ## run the bot with settings.toml
	@$(BIN)/python -m discordianai run

sandbox: $(STAMP) ## try the bot here, with no account and no key
	@$(BIN)/python -m discordianai sandbox

test: $(STAMP) ## run the tests
	@$(BIN)/python -m pytest -n 3 --dist loadgroup

test-all: test ## run the tests, and those that restart and kill the bot
	@$(BIN)/python -m pytest -n 3 --dist loadgroup -m slow

test-long: $(STAMP) ## every gateway fault for half a minute, an error in every function (fifteen minutes)
	@$(BIN)/python -m pytest -n 3 --dist loadgroup -m long

test-servers: $(STAMP) ## the pool under the load of real servers, those that are installed (two minutes)
	@$(BIN)/python -m pytest -m servers -n 2 tests/transport

lint: $(STAMP) ## ruff and mypy --strict
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m mypy

audit: $(STAMP) ## licences and known vulnerabilities of what is installed (asks a service)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[audit]'
	@$(BIN)/python .ci/audit.py

docs: $(STAMP) ## build the pages into site/
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[docs]'
	@NO_MKDOCS_2_WARNING=true $(BIN)/python -m mkdocs build --strict --quiet

bench-transport: $(STAMP) ## our HTTP/2 pool beside httpx's own (needs nginx; two minutes)
	@$(BIN)/python -m benchmarks.transport

bench-floods: $(STAMP) ## what floods of HTTP/2 frames cost the pool (four minutes)
	@$(BIN)/python -m benchmarks.floods

bench-servers: $(STAMP) ## our pool beside httpx's own, under the load of ten real servers (ten minutes)
	@$(BIN)/python -m benchmarks.servers $(SERVERS)

bench-dispatch: $(STAMP) ## a simulated hour of 1000 people before a provider (two minutes)
	@$(BIN)/python -m benchmarks.dispatch

bench-routing: $(STAMP) ## what it costs to let the model decide who answers (ten seconds)
	@$(BIN)/python -m benchmarks.routing

bench-conversations: $(STAMP) ## the store's memory, waits and overhead (three minutes, 3 GB on the disk)
	@$(BIN)/python -m benchmarks.conversations --million

bench-splitting: $(STAMP) ## texts of 100 KB cut into messages (ten seconds)
	@$(BIN)/python -m benchmarks.splitting

bench-discord: $(STAMP) ## 500 people in one moment, 100 answers streaming at once (five minutes)
	@$(BIN)/python -m benchmarks.discord

bench-start: $(STAMP) ## from the bot's start until it is ready, and `check` (a minute)
	@$(BIN)/python -m benchmarks.start

soak-transport: $(STAMP) ## a million requests through the pool (needs nginx; ten minutes)
	@$(BIN)/python -m benchmarks.soak_transport

soak-kill: $(STAMP) ## kill the bot 200 times under load, and look what is lost (fifteen minutes)
	@$(BIN)/python -m benchmarks.soak_kill

soak: $(STAMP) ## half an hour under load, with faults all the time (35 minutes)
	@$(BIN)/python -m benchmarks.soak_faults

format: $(STAMP) ## let ruff write the layout
	@$(BIN)/python -m ruff format .
	@$(BIN)/python -m ruff check --fix .

clean: ## remove .venv and every cache
	@rm -rf .venv .mypy_cache .ruff_cache .hypothesis build site src/*.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
