# Everything that is typed here, on a machine that has Python 3.11, 3.12 or 3.13, pip and make. `make` lists the targets.

VENV  := .venv
PY    := $(VENV)/bin/python
STATE := .counterpoise

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check generate bench soak test-kafka snapshot build clean lint types imports audit prose generated sql-check docs-check

help: ## list the targets
	@echo "Counterpoise: make TARGET"
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | while IFS="$$(printf '\t')" read -r name text; do printf '  %-12s %s\n' "$$name" "$$text"; done

demo: $(VENV)/.embedded ## watch the whole line at work: blocks in, alerts out (no network, no token)
	$(VENV)/bin/counterpoise --state-dir $(STATE) demo

test: $(VENV)/.dev ## every test but the long ones
	$(PY) -m pytest -m "not soak" --durations 15

check: lint types imports audit prose generated sql-check docs-check ## style, types, import direction, dependency audit, prose, SQL, docs

generate: $(VENV)/.dev ## write what follows from the metric specs: SQL, docs
	$(PY) scripts/generate.py

bench: $(VENV)/.dev ## measure the whole line on this machine
	$(PY) -m bench

soak: $(VENV)/.dev ## the long runs: many kills, hours of blocks
	$(PY) -m pytest -m soak --timeout 3600

test-kafka: $(VENV)/.dev ## the contract and end-to-end suites on Apache Kafka itself (Java 17 and Maven)
	@$(PY) -m testkit.apache_kafka || test $$? -eq 3
	@if $(PY) -m testkit.apache_kafka --quiet; then COUNTERPOISE_TEST_KAFKA=apache $(PY) -m pytest -m "kafka and not soak"; fi

snapshot: $(VENV)/.dev ## write down all that the demo and a replay leave (TO=DIR; CONTRIBUTING says how to compare)
	$(PY) -m tests.snapshot take $(or $(TO),.snapshot)

build: $(VENV)/.dev ## the wheel and the source archive, in dist/
	$(PY) -m build

clean: ## remove the environment, caches and built files; the state in .counterpoise stays
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

lint: $(VENV)/.dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

types: $(VENV)/.dev
	$(VENV)/bin/mypy

imports: $(VENV)/.dev
	$(VENV)/bin/lint-imports

audit: $(VENV)/.dev
	$(PY) scripts/audit.py

prose: $(VENV)/.dev
	$(PY) scripts/prose.py

generated: $(VENV)/.dev
	$(PY) scripts/generate.py --check

sql-check: $(VENV)/.dev
	$(PY) -m pytest -q tests/contract/sql

docs-check: $(VENV)/.dev
	$(PY) -m pytest -q tests/docs

# The first of these that is new enough makes the environment.
$(PY):
	@found=; for candidate in $(PYTHON) python3.13 python3.12 python3.11 python3 python; do \
	  if "$$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; then found=$$candidate; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "Counterpoise needs Python 3.11, 3.12 or 3.13, and none is on the PATH: install one, or say make PYTHON=/path/to/python3.12 …" >&2; exit 2; \
	fi; \
	"$$found" -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "$$found cannot make a virtual environment: install its venv module (Debian and Ubuntu: apt install python3-venv)" >&2; exit 2; }

$(VENV)/.embedded: pyproject.toml | $(PY)
	@if [ -e $(VENV)/.dev ]; then :; else echo "installing into $(VENV): a minute or two, once"; $(PY) -m pip install --quiet --disable-pip-version-check -e '.[embedded]'; fi
	@touch $@

$(VENV)/.dev: pyproject.toml | $(PY)
	@echo "installing into $(VENV), with the tools: a minute or two, once"
	@$(PY) -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/.embedded
