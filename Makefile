# Two verbs are all that a newcomer needs: `make run` and `make test`. They make the environment in .venv themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# what an installation is made of: when one of these changes, it is made again
INSTALLED := pyproject.toml setup.py constraints.txt $(wildcard src/borsa/matching/*.pyx src/borsa/matching/compiled/*.pxi) \
	$(wildcard web/*.json web/*.ts web/index.html) $(shell find web/src web/public -type f)

.PHONY: run cluster test soak crash check fix bench docs screenshots migration clean

run: $(VENV)/run.ready  ## Run the exchange; BORSA_* variables are passed through
	@exec $(BIN)/borsa up

cluster: $(VENV)/test.ready  ## Run every service apart, over a private PostgreSQL and NATS, until ctrl-C; brokers=3
	@exec $(BIN)/python -m tests.support.cluster --brokers $(or $(brokers),1) --gateways $(or $(gateways),2)

test: $(VENV)/test.ready  ## Run every test, with types, style, import contracts and tidiness
	@$(BIN)/python -m pytest -n 3 --dist loadgroup

soak: $(VENV)/test.ready  ## Simulate new seeds for HOURS (1; 0.25 is a quarter), PROCESSES (2) at a time, and add them to docs/operating/proof.md
	@$(BIN)/python -m tests.simulation.soak --hours $(or $(HOURS),1) --processes $(or $(PROCESSES),2)

crash: $(VENV)/test.ready  ## Every crash and journey instead of a sample: hours; every=9 tries each ninth kill
	@BORSA_TEST_LONG=$(or $(every),1) $(BIN)/python -m pytest -n 2 --dist loadgroup tests/crash tests/journeys

check: $(VENV)/test.ready  ## Types, style and import contracts only
	@$(BIN)/python -m pytest tests/house

fix: $(VENV)/test.ready  ## Mend style where a tool can
	@$(BIN)/ruff check --fix src tests docs
	@$(BIN)/ruff format src tests docs

bench: $(VENV)/run.ready  ## Orders a second on this machine
	@$(BIN)/borsa bench orders

docs: $(VENV)/test.ready  ## Write the tables in docs/ anew
	@$(BIN)/python docs/generate.py

screenshots: $(VENV)/test.ready  ## Take the pictures of the page in docs/page/ anew
	@$(BIN)/python -m tests.browser.screenshots

migration: $(VENV)/test.ready  ## Draft a schema change: make migration service=orders name=add_colour
	@$(BIN)/python docs/draft_migration.py $(service) $(name)

clean:  ## Remove the environment and what tools left behind
	rm -rf $(VENV) build src/borsa/matching/*.so src/borsa/web/built web/node_modules .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

$(VENV)/bin/python:
	@sh .ci/environment $(PYTHON) $(VENV)

$(VENV)/run.ready: $(INSTALLED) | $(VENV)/bin/python
	@sh .ci/install $(VENV) .
	@touch $@

$(VENV)/test.ready: $(INSTALLED) .ci/tools | $(VENV)/bin/python
	@sh .ci/tools
	@sh .ci/install $(VENV) ".[test]"
	@touch $@ $(VENV)/run.ready
