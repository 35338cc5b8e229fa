# The first command on a fresh clone may be any of these; each makes what it needs.
#   make demo    the whole loop: server, data, training, deployment, recommendations
#   make test    everything that is tested, Java and Python, against a real Neo4j
#   make check   formatting and linting, Java and Python
#   make clean   removes what was made in this clone; your server and its data stay
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
UV_VERSION := 0.13.9
CANDIDATES := python3 python3.14 python3.13 python3.12 python3.11
PYTHON ?= $(shell for p in $(CANDIDATES); do \
	$$p -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
# Servers that tests start take their jars from here, never from your own home.
TEST_HOME := $(CURDIR)/build/test-home
MAVEN := GNN4J_HOME=$(TEST_HOME) $(BIN)/python -m gds_pipelines.server.build_tool -f cypher/plugin/pom.xml

# A mirror that pip was told of is good for uv as well.
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif

.PHONY: demo test check clean environment lock

demo: environment
	$(BIN)/gnn4j demo

test: environment
	GNN4J_HOME=$(TEST_HOME) $(BIN)/gnn4j server install
	$(MAVEN) test
	GNN4J_TEST_HOME=$(TEST_HOME) $(BIN)/python -m pytest

check: environment
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(MAVEN) checkstyle:check

clean:
	rm -rf $(VENV) build dist *.egg-info cypher/plugin/target cypher/server/target
	rm -rf .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

environment: $(READY)

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer with its module venv is needed (Debian: apt install python3-venv)." >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv pip install --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --python $(BIN)/python --no-deps --editable .
	@touch $(READY)

# After a change of pyproject.toml; needs the environment, or any uv on the PATH.
lock:
	PATH="$(CURDIR)/$(BIN):$$PATH" uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
		--extra dev --extra java --generate-hashes --no-emit-index-url --no-emit-find-links \
		--custom-compile-command "make lock" --output-file requirements.lock
