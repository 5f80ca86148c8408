# Everything that is typed here, on a machine that has Python 3.11, 3.12 or 3.13, pip and make. `make` lists the targets.

VENV  := .venv
PY    := $(VENV)/bin/python
STATE := .counterpoise

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-long test-fast check generate studies bench soak test-kafka test-btcd test-clients snapshot build lock hooks clean docs lint types imports duplicates audit prose generated docs-check
unexport PYTHONDONTWRITEBYTECODE

PIP   := $(PY) -m pip --quiet --disable-pip-version-check
# As many workers as tests/conftest.py says: two a core.
TESTS := $(PY) -m pytest -n auto --dist loadgroup --no-loadscope-reorder

help: ## list the targets
	@echo "Counterpoise: make TARGET"
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | while IFS="$$(printf '\t')" read -r name text; do printf '  %-12s %s\n' "$$name" "$$text"; done

demo: $(VENV)/.embedded ## run the whole pipeline: blocks in, alerts out (no network, no token)
	$(VENV)/bin/counterpoise --state-dir $(STATE) demo

test: $(VENV)/.dev ## every test but the long ones and those of `make check`
	$(TESTS) -m "not long and not soak and not clients" --ignore tests/docs --durations 15

test-long: $(VENV)/.dev ## further combinations of what `make test` proves once: kill points, branches, outages, examples
	$(TESTS) -m "long and not soak and not clients" --ignore tests/docs --ignore tests/unit --durations 15

test-fast: $(VENV)/.dev ## the tests that start no engine
	$(TESTS) -q tests/unit

check: $(VENV)/.dev ## style, types, import direction, duplicates, dependency audit, prose, docs (without a network: AUDIT=--may-skip)
	@$(MAKE) --no-print-directory -j4 $(if $(filter output-sync,$(.FEATURES)),--output-sync) lint types imports duplicates audit prose generated docs-check docs

generate: $(VENV)/.dev ## write what follows from specs, chains, settings and SQL files: SQL, docs
	$(PY) scripts/generate.py

studies: $(VENV)/.dev ## write docs/studies.md: coverage, false alarms and delays, with fixed seeds
	$(PY) scripts/studies.py

bench: $(VENV)/.dev ## measure the whole line on this machine
	$(PY) -m bench

soak: $(VENV)/.dev ## the long runs: many kills, hours of blocks
	$(PY) -m pytest -m soak --timeout 3600

test-kafka: $(VENV)/.dev ## the contract and end-to-end suites on Apache Kafka itself (Java 17 and Maven; LONG=1 with those of test-long)
	@$(PY) -m testkit.apache_kafka || test $$? -eq 3
	@if $(PY) -m testkit.apache_kafka --quiet; then COUNTERPOISE_TEST_KAFKA=apache $(TESTS) -n 2 -m "kafka and not soak$(if $(LONG),, and not long)" --ignore tests/unit --ignore tests/docs; fi

test-btcd: $(VENV)/.dev ## ten reorganisations between two real btcd nodes (needs Go 1.24 or later; built in .btcd)
	@if command -v go > /dev/null; then GOBIN=$(CURDIR)/.btcd go install github.com/btcsuite/btcd@v0.26.2; else echo "test-btcd: there is no Go here"; fi
	@if [ -x .btcd/btcd ]; then COUNTERPOISE_TEST_BTCD=$(CURDIR)/.btcd/btcd $(PY) -m pytest -q tests/integration/ingest_blocks/test_btcd.py; fi

test-clients: $(VENV)/.clients ## third-party clients of the embedded ClickHouse (Go, Java, Node.js where present); writes docs/clients.md
	$(PY) -m pytest -q -m clients tests/clients $(if $(ONLY),-k "$(ONLY)",--write-clients-table)

snapshot: $(VENV)/.dev ## store all output of the demo and a replay (TO=DIR; CONTRIBUTING describes the comparison)
	$(PY) -m tests.snapshot take $(or $(TO),.snapshot)

build: $(VENV)/.dev ## the wheel, the source archive and the wheel's SBOM (CycloneDX), in dist/
	$(PY) -m build --no-isolation
	$(PY) scripts/sbom.py dist

# The tool is fetched into a cache of its own: it decides versions and is needed by nobody else.
UV_VERSION := 0.13.9
UV      := .cache/uv/bin/uv
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --annotation-style line \
           --no-emit-index-url pyproject.toml requirements/build.in
# Every environment that the lock is for fulfils this; repeated on each line it would only hide the others.
EVERYWHERE := implementation_name == 'cpython' and (sys_platform == 'darwin' or sys_platform == 'linux')

lock: $(UV) ## write requirements/*.txt anew; versions stay unless pyproject.toml or UPGRADE=--upgrade changes them
	$(COMPILE) $(UPGRADE) --extra dev --output-file requirements/dev.txt
	$(COMPILE) $(UPGRADE) --extra clients --constraint requirements/dev.txt --output-file requirements/clients.txt
	$(COMPILE) $(UPGRADE) --extra embedded --constraint requirements/dev.txt --output-file requirements/embedded.txt
	@for file in requirements/dev.txt requirements/clients.txt requirements/embedded.txt; do \
	  sed -e "s/ ; $(EVERYWHERE)//" -e "s/ and $(EVERYWHERE)//" $$file > $$file.new && mv $$file.new $$file || exit 1; \
	done

$(UV): | $(PY)
	@$(PY) -m venv .cache/uv
	@.cache/uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

hooks: $(VENV)/.dev ## let git run style, types and import direction before each commit
	$(VENV)/bin/pre-commit install

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

duplicates: $(VENV)/.dev
	$(PY) scripts/duplicates.py

audit: $(VENV)/.dev
	$(PY) scripts/audit.py $(AUDIT)

prose: $(VENV)/.dev
	$(PY) scripts/prose.py

generated: $(VENV)/.dev
	$(PY) scripts/generate.py --check

docs: $(VENV)/.dev ## build the documentation as a site, into build/site; a broken link is an error
	$(VENV)/bin/properdocs build --quiet -f properdocs.yml

docs-check: $(VENV)/.dev
	$(PY) -m pytest -q tests/docs

# The first of these that is new enough makes the environment.
$(PY):
	@found=; for candidate in $(PYTHON) python3.13 python3.12 python3.11 python3 python; do \
	  if "$$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; then found=$$candidate; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "Counterpoise needs Python 3.11, 3.12 or 3.13, and none is on the PATH: install one, or run make PYTHON=/path/to/python3.12 …" >&2; exit 2; \
	fi; \
	"$$found" -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "$$found cannot make a virtual environment: install its venv module (Debian and Ubuntu: apt install python3-venv)" >&2; exit 2; }

# First what others wrote, exactly as locked; then the project itself, which needs nothing from the network any more.
$(VENV)/.embedded: pyproject.toml requirements/embedded.txt | $(PY)
	@if [ -e $(VENV)/.dev ]; then :; else \
	  echo "installing into $(VENV): 1–2 minutes, once"; \
	  $(PIP) install --require-hashes -r requirements/embedded.txt && $(PIP) install --no-deps --no-build-isolation -e .; \
	fi
	@touch $@

$(VENV)/.dev: pyproject.toml requirements/dev.txt | $(PY)
	@echo "installing into $(VENV), with the tools: 1–2 minutes, once"
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.embedded

# The clients' libraries come on top: neither the product nor its other tests need them.
$(VENV)/.clients: pyproject.toml requirements/clients.txt | $(VENV)/.dev
	@$(PIP) install --require-hashes -r requirements/clients.txt
	@touch $@
