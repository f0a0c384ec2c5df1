# Everything a newcomer or an operator types. Recipes use relative paths only, so a checkout may
# live in a directory whose name has a space in it.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

# `make sandbox DATABASE=postgres`: where the bot of the sandbox, and of `make soak-kill`, keeps its conversations.
DATABASE ?= sqlite
KILLS ?= 200

# Most tests wait, for sockets and for the pace of Discord: more of them at once than there are processors.
WORKERS ?= 8
PYTEST = -m pytest -n $(WORKERS) --dist loadgroup --no-loadscope-reorder

# What the wheel has to show: the bot as it runs once it is installed, and its commands.
WHEEL_TESTS ?= tests/end_to_end tests/cli

# `make test PYTHON=python3.13` tests with that interpreter and what is installed there, without .venv.
ifeq ($(origin PYTHON),command line)
TESTED = $(PYTHON)
TESTABLE = installed
else
TESTED = $(BIN)/python
TESTABLE = $(STAMP)
endif

# Each worker would compile every test anew, and each bot every module.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install installed run sandbox test test-all test-failed test-long test-postgres test-servers coverage wheel test-wheel lint audit
.PHONY: release test-installs
.PHONY: hooks docs diagrams pictures format prices clean
.PHONY: bench-transport bench-servers bench-floods bench-dispatch bench-conversations bench-splitting bench-rendering
.PHONY: bench-discord bench-fairness bench-postgres bench-routing eval-routing bench-start bench-shards
.PHONY: soak-transport soak-kill soak-outages soak

# `make help` shows a line that begins with ##@ as the heading of the targets below it.

##@ Use

help: ## list the targets
	@awk -F ':.*## ' '/^##@ / { printf "\n%s\n", substr($$0, 5) } /^[a-z-]+:.*## / { printf "  make %-19s %s\n", $$1, $$2 }' Makefile

install: $(STAMP) ## make .venv and install everything into it

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; try: make PYTHON=python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing into .venv (a minute the first time)" >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[sandbox,test]'
	@$(BIN)/python -m compileall -q src
	@touch $(STAMP)

installed:
	@$(TESTED) .ci/missing.py

run: $(STAMP) ## run the bot with settings.toml
	@$(BIN)/python -m discordianai run

sandbox: $(STAMP) ## try the bot here, with no account and no key; DATABASE=postgres: with a PostgreSQL of its own
	@$(BIN)/python -m discordianai sandbox --database $(DATABASE)

##@ Develop

test: $(TESTABLE) ## run the tests (two minutes)
	@$(TESTED) $(PYTEST)

# Those that load real servers have the machine to themselves.
test-all: $(TESTABLE) ## more examples of each property; kills, restarts, real servers, too (ten minutes)
	@failed=0; \
	$(TESTED) $(PYTEST) -m 'not long and not servers' --hypothesis-profile=all || failed=1; \
	$(TESTED) -m pytest -m servers -n 2 tests/transport || failed=1; \
	exit $$failed

test-failed: $(TESTABLE) ## those that failed in the last run, one after the other, until one fails again
	@$(TESTED) -m pytest -m 'not long' --hypothesis-profile=all --last-failed --last-failed-no-failures=none --maxfail=1

test-long: $(TESTABLE) ## every gateway fault for half a minute, an error in every function (fifteen minutes)
	@$(TESTED) $(PYTEST) -m long

test-postgres: $(TESTABLE) ## what has to do with PostgreSQL and PgBouncer, on those that are installed
	@$(TESTED) $(PYTEST) -m 'postgres and not long'

test-servers: $(TESTABLE) ## the pool under the load of real servers, those that are installed (two minutes)
	@$(TESTED) -m pytest -m servers -n 2 tests/transport

coverage: $(STAMP) ## which lines and branches the tests reach in their own process (seven minutes)
	@$(BIN)/python $(PYTEST) -m '(not slow or postgres) and not long and not servers' --ignore tests/end_to_end --cov --cov-report=term-missing

wheel: $(STAMP) ## build the wheel into dist/, and compare it with src/
	@rm -rf build dist
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
	@$(BIN)/python .ci/wheel.py

test-wheel: wheel ## install the wheel apart from src/, and have the end-to-end tests run that bot (three minutes)
	@$(BIN)/python -m venv build/venv
	@build/venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt "$$(echo dist/*.whl)[sandbox,test]"
	@build/venv/bin/python -c 'import discordianai, sys; sys.exit("build/venv" not in discordianai.__file__)'
	@build/venv/bin/python $(PYTEST) $(WHEEL_TESTS)

release: $(STAMP) ## build wheel and sdist into dist/, check them, and print the changelog's section
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[release]'
	@rm -rf build dist
	@PIP_CONSTRAINT=constraints.txt $(BIN)/python -m build --outdir dist . >/dev/null
	@$(BIN)/python .ci/wheel.py
	@$(BIN)/hadolint Containerfile
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec compose.yaml compose.postgres.yaml
	@$(BIN)/python -m twine check --strict dist/*
	@$(BIN)/python .ci/release.py

test-installs: release ## install the release with pip, pipx and uv, offline, and try its commands (two minutes)
	@$(BIN)/python .ci/installs.py

lint: $(STAMP) ## ruff, codespell, mypy --strict for the oldest Python and the newest, the layers of the packages
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/codespell
	@$(BIN)/python -m mypy
	@$(BIN)/python -m mypy --python-version 3.13
	@$(BIN)/lint-imports --no-cache

audit: $(STAMP) ## licences and known vulnerabilities of what is installed (asks a service)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[audit]'
	@$(BIN)/python .ci/audit.py

hooks: $(STAMP) ## have git check each commit and each push (.pre-commit-config.yaml)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[hooks]'
	@$(BIN)/pre-commit install

docs: $(STAMP) ## build the pages into site/
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[docs]'
	@NO_MKDOCS_2_WARNING=true $(BIN)/python -m mkdocs build --strict --quiet

diagrams: ## make the diagrams in docs/ of their sources (needs graphviz)
	@for name in question pool; do \
		dot -Tsvg docs/diagrams/$$name.dot | sed '/^<!-- Generated/,/-->$$/d' > docs/$$name.svg || exit 1; \
	done

pictures: $(STAMP) ## take the pictures in docs/ of the running sandbox (needs Chromium; a minute)
	@$(BIN)/python -m tests.browser.pictures

# In an environment of its own, which is removed: it brings a second HTTP client, and 20 MB.
prices: ## renew the table of prices that comes with the package, from the newest genai-prices (asks a service)
	@rm -rf build/prices
	@$(PYTHON) -m venv build/prices
	@build/prices/bin/python -m pip install --quiet --disable-pip-version-check genai-prices
	@build/prices/bin/python .ci/prices.py; status=$$?; rm -rf build/prices; exit $$status

format: $(STAMP) ## let ruff write the layout
	@$(BIN)/python -m ruff format .
	@$(BIN)/python -m ruff check --fix .

clean: ## remove .venv and every cache
	@rm -rf .venv .mypy_cache .ruff_cache .hypothesis .coverage* build dist site src/*.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

##@ Measure

bench-transport: $(STAMP) ## our HTTP/2 pool beside httpx's own (needs nginx; a minute)
	@$(BIN)/python -m benchmarks.transport

bench-floods: $(STAMP) ## what floods of HTTP/2 frames cost the pool (four minutes)
	@$(BIN)/python -m benchmarks.floods

bench-servers: $(STAMP) ## our pool beside httpx's own, under the load of ten real servers (ten minutes)
	@$(BIN)/python -m benchmarks.servers $(SERVERS)

bench-dispatch: $(STAMP) ## a simulated hour of 1000 people before a provider (two minutes)
	@$(BIN)/python -m benchmarks.dispatch

bench-conversations: $(STAMP) ## the store's memory, waits and overhead (three minutes, 3 GB on the disk)
	@$(BIN)/python -m benchmarks.conversations --million

bench-postgres: $(STAMP) ## what the store on PostgreSQL takes beside SQLite, and with a million people (five minutes)
	@$(BIN)/python -m benchmarks.postgres

bench-splitting: $(STAMP) ## texts of 100 KB cut into messages (ten seconds)
	@$(BIN)/python -m benchmarks.splitting

bench-rendering: $(STAMP) ## which texts take the functions longest that prepare text for Discord (half a minute)
	@$(BIN)/python -m benchmarks.rendering

bench-discord: $(STAMP) ## 500 people in one moment, 100 answers streaming at once (five minutes)
	@$(BIN)/python -m benchmarks.discord

bench-fairness: $(STAMP) ## does one who floods, or a provider that misbehaves, delay the others (fifteen minutes)
	@$(BIN)/python -m benchmarks.fairness

bench-routing: $(STAMP) ## who answers by which strategy: how often the rules are right, and what each takes (a minute)
	@$(BIN)/python -m benchmarks.routing

eval-routing: $(STAMP) ## how often a model is right about the web, with your own key (some cents, some minutes)
	@$(BIN)/python -m benchmarks.routing --live

bench-start: $(STAMP) ## from the bot's start until it is ready, and `check` (a minute)
	@$(BIN)/python -m benchmarks.start

bench-shards: $(STAMP) ## sixteen shards: identifies, one in trouble, memory of 20,000 servers (fifteen minutes)
	@$(BIN)/python -m benchmarks.shards

soak-transport: $(STAMP) ## a million requests through the pool (needs nginx; ten minutes)
	@$(BIN)/python -m benchmarks.transport --soak

soak-kill: $(STAMP) ## kill the bot 200 times (KILLS) under load, and look what is lost (fifteen minutes)
	@$(BIN)/python -m benchmarks.soak --kills $(KILLS) --database $(DATABASE)

soak-outages: $(STAMP) ## PostgreSQL goes away in seven ways, under load (needs PostgreSQL; twenty minutes)
	@$(BIN)/python -m benchmarks.soak_outages

soak: $(STAMP) ## half an hour under load and a flood, with faults all the time (35 minutes)
	@$(BIN)/python -m benchmarks.soak
