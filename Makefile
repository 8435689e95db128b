# Each target installs what it needs. The settings of docs/settings.md can follow a target: make serve PORT=8123
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CLIENTS := $(VENV)/clients

.PHONY: help serve score test check attack train retrain tutorial bench requirements stubs screenshot clean

help:            ## List the targets
	@awk -F ':.*## *' '/^[a-z]+:.*##/ { printf "%-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# With an address for traces, the service needs more packages.
TRACES := $(OTEL_EXPORTER_OTLP_ENDPOINT)$(OTEL_EXPORTER_OTLP_TRACES_ENDPOINT)

serve: $(VENV)/$(if $(TRACES),tracing,serve)  ## Start the service
	$(BIN)/python -m app

score: $(VENV)/score  ## Score pictures offline: SOURCE=pictures OUT=results.parquet
	$(if $(and $(SOURCE),$(OUT)),,$(error Name the pictures and the table: make score SOURCE=pictures OUT=results.parquet))
	$(BIN)/python -m app.score '$(SOURCE)' --out '$(OUT)'

test: lint browser prometheus java kubectl $(CLIENTS)/installed  ## Check format, lint and types, and run all tests (downloads TensorFlow and MNIST)
	$(MAKE) --no-print-directory --jobs=2 test-first test-second
	$(BIN)/pytest -m alone

# Two processes side by side, of about the same length. All tests that import TensorFlow are in the first.
.PHONY: test-first test-second
test-first:
	$(BIN)/pytest -m "not alone" $(FIRST_TESTS)

test-second:
	$(BIN)/pytest -m "not alone" $(addprefix --ignore=,$(FIRST_TESTS))

FIRST_TESTS := tests/training tests/deploy tests/monitoring tests/app/score $(wildcard tests/test_*.py) \
  $(addprefix tests/benchmarks/test_,improvements.py offline_scoring.py publishing.py training.py)

check: lint      ## Check format, lint and types, and run the fast tests: about a minute
	$(BIN)/pytest $(SIDE_BY_SIDE) -m "not slow"

# Bytecode is kept, whatever the environment says: the tests start Python a hundred times.
test check test-first test-second: export PYTHONDONTWRITEBYTECODE :=

# Two processes, each with whole files of tests. In the order of collection: it puts those with slow tests first.
SIDE_BY_SIDE := -n 2 --dist loadfile --no-loadscope-reorder --max-worker-restart=0

attack: $(VENV)/dev  ## Attack a service for an hour, or for MINUTES=5, and print the cost
	$(BIN)/python -m tests.attack $(if $(MINUTES),--minutes $(MINUTES))

train: $(VENV)/train  ## Train all models but those whose recipe is served; publish each that is better
	$(BIN)/python -m training train

retrain: $(VENV)/train  ## Train softmax and convnet, also with the corrections in FEEDBACK_DIR
	$(BIN)/python -m training train softmax convnet $(if $(FEEDBACK_DIR),--also $(FEEDBACK_DIR))

tutorial: $(VENV)/dev  ## Run docs/tutorial.ipynb, and write its output into it: some minutes
	$(BIN)/jupyter-execute --inplace docs/tutorial.ipynb

screenshot: browser  ## Take the screenshot docs/page.png
	$(BIN)/python -m tests.app.page.screenshots

bench: $(VENV)/dev  ## Measure serving and other servers, and write docs/benchmarks.md (needs wrk)
	$(BIN)/python -m benchmarks.serving

.PHONY: lint
lint: $(VENV)/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# Programs for some tests. As root with apt-get, a Debian package is installed; otherwise as the recipe says.
.PHONY: browser prometheus java kubectl
browser: $(VENV)/dev
	@command -v chromium >/dev/null || $(call apt_install,chromium) || $(BIN)/playwright install chromium

prometheus:
	@command -v promtool >/dev/null || $(call apt_install,prometheus) || \
	  { echo "The tests of monitoring/ need Prometheus: prometheus and promtool on the PATH."; exit 1; }

java:
	@command -v java >/dev/null || $(call apt_install,default-jre-headless) || \
	  echo "Without java on the PATH, the test of OpenAPI Generator's client is skipped."

kubectl:
	@command -v kubectl >/dev/null || echo "Without kubectl on the PATH, the tests of deploy/kubernetes are skipped."

apt_install = { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get -q update && apt-get -qy install --no-install-recommends $(1); }

# train.txt and dev.txt pin TensorFlow, which has no wheels for a later Python. The value also applies to the rule that creates
# $(VENV) for one of these two. Serving needs no TensorFlow.
NEWEST_PYTHON := 3, 99
$(VENV)/train $(VENV)/dev: NEWEST_PYTHON := 3, 13

# Exits with a message before anything is installed. Old versions of Python can run it too.
CHECK_PYTHON = import sys; version = sys.version_info[:2]; \
  version < (3, 11) and sys.exit("Python 3.11 or later is needed, not %d.%d. Name another one: make PYTHON=python3.13 ..." % version); \
  version > ($(NEWEST_PYTHON)) and sys.exit("TensorFlow has no wheels for Python %d.%d, only up to %d.%d. Name another one: " \
    "make clean, then make PYTHON=python3.13 ..." % (version + ($(NEWEST_PYTHON))))

# The time of a file in the environment tells when its requirements were installed.
$(VENV)/%: requirements/%.txt | $(BIN)/python
	@$(BIN)/python -c '$(CHECK_PYTHON)'
	@echo "Installing requirements/$*.txt into $(VENV) (only when it changes)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# A second environment inside the first. --no-deps, because clients.txt pins all packages, and some requirements contradict each other.
$(CLIENTS)/installed: requirements/clients.txt | $(BIN)/python
	@echo "Installing requirements/clients.txt into $(CLIENTS) (only when it changes)"
	$(BIN)/python -m venv --clear $(CLIENTS)
	$(CLIENTS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c '$(CHECK_PYTHON)'
	$(PYTHON) -m venv $(VENV)

# Pins all dependencies from pyproject.toml. Without index addresses, so that each machine installs from its own index.
COMPILE := uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
requirements:    ## Compile requirements/*.txt (needs uv)
	$(COMPILE) pyproject.toml --all-extras --output-file requirements/dev.txt
	$(COMPILE) pyproject.toml --constraint requirements/dev.txt --output-file requirements/serve.txt
	$(COMPILE) pyproject.toml --constraint requirements/dev.txt --extra tracing --output-file requirements/tracing.txt
	$(COMPILE) pyproject.toml --constraint requirements/dev.txt --extra grpc --extra s3 --extra tracing --output-file requirements/image.txt
	$(COMPILE) pyproject.toml --constraint requirements/dev.txt --extra s3 --extra score --output-file requirements/score.txt
	$(COMPILE) pyproject.toml --constraint requirements/dev.txt --extra ray --extra s3 --extra score --output-file requirements/ray.txt
	$(COMPILE) pyproject.toml --constraint requirements/dev.txt --extra s3 --extra train --output-file requirements/train.txt
	$(COMPILE) requirements/clients.in --override requirements/clients-overrides.txt --output-file requirements/clients.txt

# The generated code registers its messages in a pool of its own, app/grpc/stubs/pool.py says why.
STUBS := app/grpc/stubs
stubs: $(VENV)/dev  ## Generate the code for the messages of gRPC from the .proto files
	$(BIN)/python -m grpc_tools.protoc --proto_path=. --python_out=. --pyi_out=. $(STUBS)/*.proto
	sed -i -e 's/^from google.protobuf import descriptor_pool as _descriptor_pool/from app.grpc.stubs.pool import POOL/' \
	  -e 's/_descriptor_pool\.Default()/POOL/' $(STUBS)/*_pb2.py

clean:           ## Remove the environment and all caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
