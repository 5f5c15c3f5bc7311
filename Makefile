# Thin: each line calls tools/setup.py (which makes .venv and node_modules, or finds them ready), backendlab or pytest.
# PYTHON=python3.12 chooses the Python of a new .venv; without it an existing .venv keeps its own.

PYTHON ?= python3
SETUP = command -v '$(PYTHON)' >/dev/null || { echo 'There is no $(PYTHON) here. Install Python 3.11 or newer (python.org,\
 your system, pyenv, conda), or name one: make lab PYTHON=/its/path' >&2; exit 1; }; '$(PYTHON)' tools/setup.py $(if $(filter file,$(origin PYTHON)),--keep-python)
BACKENDLAB = .venv/bin/backendlab

.DEFAULT_GOAL := help
.PHONY: help lab doctor test build check contract release lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile

lab: ## make what is needed, then open JupyterLab at lesson 1
	@$(SETUP) lab
	@$(BACKENDLAB) lab

doctor: ## say what each real part is, whether it starts, and what brings a missing one
	@$(SETUP) lab
	@$(BACKENDLAB) doctor

test: ## make what is needed, then run every test (ARGS="-k doctor" for some)
	@$(SETUP) test
	@$(BACKENDLAB) setup --all
	@.venv/bin/python -m pytest $(ARGS)

build: ## source/ to notebooks/ and release/
	@$(SETUP) lab
	@$(BACKENDLAB) build $(ARGS)

check: ## do notebooks/ and release/ still follow from source/?
	@$(SETUP) lab
	@$(BACKENDLAB) build --check

contract: ## hold every exercise against its contract
	@$(SETUP) lab
	@$(BACKENDLAB) contract $(ARGS)

release: ## one cohort's assignments (ARGS="01-node-runtime --cohort autumn --seed 7")
	@$(SETUP) lab
	@$(BACKENDLAB) release $(ARGS)

lock: ## write requirements/*.txt and package-lock.json anew from pyproject.toml and package.json
	@$(PYTHON) tools/setup.py lock

clean: ## remove .venv, node_modules and the tools' caches; your work and your progress stay
	@rm -rf .venv node_modules npm/*/node_modules .pytest_cache .ruff_cache .mypy_cache
