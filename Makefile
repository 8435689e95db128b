# Every target does its own set-up. The settings of README.md can stand behind it: make serve PORT=8123
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CLIENTS := $(VENV)/clients

.PHONY: help serve test check attack train retrain tutorial bench requirements screenshot clean

help:            ## List the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/:/' | column -t -s:

serve: $(VENV)/serve  ## Start the service
	$(BIN)/python -m app

test: lint browser prometheus $(CLIENTS)/installed  ## Run everything: format, lint, types and all tests (TensorFlow and MNIST are fetched if missing)
	$(BIN)/pytest

check: lint      ## Run what takes seconds: format, lint, types and the fast tests
	$(BIN)/pytest -m "not slow"

attack: $(VENV)/dev  ## Attack a service for an hour, or MINUTES=5, and print what that costs it and its clients
	$(BIN)/python -m tests.attack $(if $(MINUTES),--minutes $(MINUTES))

train: $(VENV)/train  ## Train both models, and publish each that is better than before
	$(BIN)/python -m training train

retrain: $(VENV)/train  ## The same with the corrections in FEEDBACK_DIR, if that is set; one at a time, goes on after a kill
	$(BIN)/python -m training train $(if $(FEEDBACK_DIR),--also $(FEEDBACK_DIR))

tutorial: $(VENV)/dev  ## Run docs/tutorial.ipynb, some minutes long, and write what comes out into it
	$(BIN)/jupyter-execute --inplace docs/tutorial.ipynb

screenshot: browser  ## Take docs/page.png anew
	$(BIN)/python -m tests.app.page.screenshots

bench: $(VENV)/dev  ## Measure the speed of serving, beside other servers, and write docs/benchmarks.md (needs wrk)
	$(BIN)/python -m benchmarks.serving

.PHONY: lint
lint: $(VENV)/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# Programs that some tests drive: a Debian package for root where apt-get is, and otherwise what is said here.
.PHONY: browser prometheus
browser: $(VENV)/dev
	@command -v chromium >/dev/null || $(call apt_install,chromium) || $(BIN)/playwright install chromium

prometheus:
	@command -v promtool >/dev/null || $(call apt_install,prometheus) || \
	  { echo "The tests of monitoring/ need Prometheus: prometheus and promtool on the PATH."; exit 1; }

apt_install = { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get -q update && apt-get -qy install --no-install-recommends $(1); }

# A file in the environment remembers which requirements it was last brought up to.
$(VENV)/%: requirements/%.txt | $(BIN)/python
	@echo "Installing requirements/$*.txt into $(VENV) (only when it changes)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# An environment within the environment. Without dependencies: clients.txt names them all, and some contradict each other.
$(CLIENTS)/installed: requirements/clients.txt | $(BIN)/python
	@echo "Installing requirements/clients.txt into $(CLIENTS) (only when it changes)"
	$(BIN)/python -m venv --clear $(CLIENTS)
	$(CLIENTS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or later is needed; $(PYTHON) is older. Name another one: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

# Pins everything anew from pyproject.toml. Addresses are left out: each installs from the index it is set up with.
COMPILE := uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
requirements:    ## Compile requirements/*.txt (needs uv)
	$(COMPILE) pyproject.toml --all-extras --output-file requirements/dev.txt
	$(COMPILE) pyproject.toml --constraint requirements/dev.txt --output-file requirements/serve.txt
	$(COMPILE) pyproject.toml --constraint requirements/dev.txt --extra train --output-file requirements/train.txt
	$(COMPILE) requirements/clients.in --override requirements/clients-overrides.txt --output-file requirements/clients.txt

clean:           ## Remove the environment and all caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
