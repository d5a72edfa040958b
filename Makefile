# Every target works on a fresh checkout: what it needs is installed first. pip's own
# configuration decides where packages come from.

SHELL := /bin/bash
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TORCHGEO := .venv-torchgeo$(if $(PYTHON),-$(notdir $(PYTHON)))
WORKERS ?= 4
export DAGSTER_DISABLE_TELEMETRY := yes

.PHONY: help install demo ui screenshots test test-torchgeo check format bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## make .venv with the package, its tests' needs and the checkers

$(BIN)/python:
	@python=$$(.ci/find-python 3.11) && .ci/make-venv $(VENV) "$$python"

$(STAMP): pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing into $(VENV) ..."
	@$(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt \
		--editable . --group test --group check >$(VENV)/install.log 2>&1 \
		|| { tail -n 20 $(VENV)/install.log; exit 1; }
	@touch $@

demo: $(STAMP) ## a small archive of its own: built by Dagster, read back, drawn (.demo/)
	@$(BIN)/python -m examples.demo

ui: $(STAMP) ## Dagster's UI over the declared collections, with the demo archive served
	@$(BIN)/python -m examples.ui

screenshots: $(STAMP) ## take the README's pictures of Dagster's UI anew, in a real browser
	@.ci/need chromium=chromium
	@RASTERET_ASSETS_SCREENSHOTS=docs/images $(BIN)/pytest -q \
		--basetemp=/tmp/rasteret-demo tests/assets/test_ui_in_browser.py

test: $(STAMP) ## run every test
	@.ci/need redis-server=redis-server initdb=postgresql docker-compose=docker-compose \
		chromium=chromium
	@$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

# PyTorch is too large for .venv. constraints-torchgeo.txt has what comes with it, and goes
# before constraints.txt where both name a package. PYTHON=python3.13 takes another interpreter,
# and with it another TorchGeo, in an environment of its own.
$(TORCHGEO)/bin/python:
	@python=$(or $(PYTHON),$$(.ci/find-python 3.11)) && .ci/make-venv $(TORCHGEO) "$$python"

$(TORCHGEO)/.installed: pyproject.toml constraints.txt constraints-torchgeo.txt | $(TORCHGEO)/bin/python
	@echo "installing into $(TORCHGEO) ..."
	@awk -F== 'NR == FNR { own[$$1] } NR == FNR || !($$1 in own)' \
		constraints-torchgeo.txt constraints.txt >$(TORCHGEO)/constraints.txt
	@$(TORCHGEO)/bin/python -m pip install --disable-pip-version-check \
		--constraint $(TORCHGEO)/constraints.txt --editable '.[torchgeo]' --group torchgeo \
		>$(TORCHGEO)/install.log 2>&1 || { tail -n 20 $(TORCHGEO)/install.log; exit 1; }
	@touch $@

test-torchgeo: $(TORCHGEO)/.installed ## run the tests with TorchGeo, in .venv-torchgeo; a model is trained
	@PYTHONPATH=tests/torchgeo/beside_cpu_torch $(TORCHGEO)/bin/python -m pytest tests/torchgeo

check: $(STAMP) ## lint, formatting, types, import contracts, dead links, Dagster definitions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/repo/test_links.py
	$(BIN)/towncrier build --draft --version next >/dev/null
	$(BIN)/dg check yaml
	$(BIN)/dg check defs

format: $(STAMP) ## rewrite the code as the formatter and the fixable lint rules want it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP) ## measure against rasteret, GDAL and a bare HTTP loop (needs nginx; minutes)
	@$(BIN)/python -m benchmarks

clean: ## remove all that was generated, .venv included
	rm -rf $(VENV) .venv-peer .venv-torchgeo* .demo .bench .dagster .artefacts build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
