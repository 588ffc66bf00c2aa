# One checkout holds everything: .venv and node_modules are made here from the lock files.
#
#   make up ARGS='--port 9000'   start the venue in the foreground (Ctrl-C stops it)
#   make test                    the whole suite but the soak tests
#   make check                   format, lint, types, import rules, Solidity lint
#   make bench | soak            benchmarks | long runs
#   make snapshot                re-make contracts/snapshot.json (gas, sizes, init-code hashes) after a change of the contracts
#   make forge                   fuzz and invariant tests of the contracts (ARGS='--match-test P8 -vvv')
#   make slither                 static analysis of the contracts; fails on any finding that docs/slither.md does not answer
#   make hardhat                 compile and test the contracts with Hardhat (then: npx hardhat ...)
#   make screenshots            re-make the pictures of the page in docs/images
#   make lock                    re-make the lock files after a change of pyproject.toml or package.json
#   make clean                   remove everything that was installed or made, `var/` excepted

SHELL  := /bin/bash
PYTHON ?= python3
BIN    := .venv/bin
PIP    := -m pip --disable-pip-version-check -qq --no-input install

RUNTIME    := .venv/.installed
DEVELOPER  := .venv/.installed-dev
NODE       := node_modules/.installed
NODE_DEV   := node_modules/.installed-dev
KALSHI     := .venv-kalshi/.installed
KALSHI_OLD := .venv-kalshi-320/.installed .venv-kalshi-214/.installed
POLYMARKET := .venv-polymarket/.installed
PEERS      := .venv-peers/.installed
TYPESCRIPT := tests/sdk/typescript/node_modules/.installed
QUICKFIX   := .venv-quickfix/.installed
HALMOS     := .venv-halmos/.installed
SLITHER    := .venv-slither/.installed

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help setup up test check bench soak snapshot forge slither hardhat screenshots lock clean
MAKEFLAGS += --no-print-directory --no-builtin-rules

help:
	@sed -n '2d; /^$$/q; s/^# \{0,3\}//p' Makefile

# --- what people run ---------------------------------------------------------------------------------------------

setup: $(RUNTIME) $(NODE)
	@:

up: setup
	@exec $(BIN)/causeway up $(ARGS)

# Most of the time goes into waiting for blocks, so three workers on two cores. A file's tests stay together and in order.
test: $(DEVELOPER) $(NODE_DEV) $(KALSHI) $(KALSHI_OLD) $(POLYMARKET) $(TYPESCRIPT) $(QUICKFIX) $(HALMOS)
	@exec $(BIN)/pytest tests -n 3 --dist loadfile $(ARGS)

soak: $(DEVELOPER) $(NODE_DEV) $(KALSHI) $(KALSHI_OLD) $(POLYMARKET) $(TYPESCRIPT) $(QUICKFIX) $(HALMOS)
	@exec $(BIN)/pytest tests -m soak --timeout=0 $(ARGS)

bench: $(DEVELOPER) $(NODE) $(PEERS)
	@exec $(BIN)/python scripts/bench.py $(ARGS)

check: $(DEVELOPER) $(NODE_DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	node_modules/.bin/tsc -p web
	node_modules/.bin/solhint --disc --noPoster --max-warnings 0 'contracts/**/*.sol'

# Half a minute: not part of `make check`, part of .ci/run. Every finding is answered in docs/slither.md.
slither: $(NODE_DEV) $(SLITHER)
	@SOLC_NO_CODE=1 PATH="$(CURDIR)/node_modules/.bin:$$PATH" .venv-slither/bin/slither contracts/Venue.sol

# ARGS go to `forge test`: --match-test P8, -vvvv
forge: $(DEVELOPER) $(NODE_DEV)
	@exec $(BIN)/python -m tests.contracts.forge $(ARGS)

snapshot: $(DEVELOPER) $(NODE)
	@exec $(BIN)/python -m tests.contracts.snapshot

hardhat: $(NODE_DEV)
	@HARDHAT_DISABLE_TELEMETRY_PROMPT=true exec node_modules/.bin/hardhat test $(ARGS)

screenshots: $(DEVELOPER) $(NODE_DEV)
	@CAUSEWAY_PICTURES=docs/images exec $(BIN)/pytest tests/web/test_accessibility.py tests/web/test_states.py

clean:
	rm -rf .venv .venv-kalshi .venv-kalshi-320 .venv-kalshi-214 .venv-polymarket .venv-peers .venv-quickfix .venv-halmos .venv-slither node_modules tests/sdk/typescript/node_modules .hardhat causeway.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

# --- set-up: each stamp depends on the lock that fills it ----------------------------------------------------------

define need_python
@command -v $(PYTHON) >/dev/null || { echo "causeway: $(PYTHON) is missing: install Python 3.11 or newer" >&2; exit 1; }
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "causeway: $$($(PYTHON) --version 2>&1) is too old: Python 3.11 or newer is needed (make PYTHON=python3.12 ...)" >&2; exit 1; }
@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	{ echo "causeway: $(PYTHON) has no venv module: install it (Debian: apt-get install python3-venv)" >&2; exit 1; }
endef

define need_node
@command -v node >/dev/null || { echo "causeway: node is missing: install Node.js 20 or newer" >&2; exit 1; }
@command -v npm >/dev/null || { echo "causeway: npm is missing: install it with Node.js 20 or newer" >&2; exit 1; }
@node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || \
	{ echo "causeway: node $$(node --version) is too old: Node.js 20 or newer is needed" >&2; exit 1; }
endef

# The editable install is one .pth line and the `causeway` script; its build tool, setuptools, comes from the lock.
$(RUNTIME): requirements.lock pyproject.toml
	$(need_python)
	@echo "causeway: installing the Python packages (under a minute, once)" >&2
	@[ -x $(BIN)/pip ] || $(PYTHON) -m venv --clear .venv
	@$(BIN)/python $(PIP) --require-hashes --no-deps -r requirements.lock
	@$(BIN)/python $(PIP) --no-build-isolation --no-deps --no-index --editable .
	@touch $@

$(DEVELOPER): requirements-dev.lock $(RUNTIME)
	@echo "causeway: installing the developer tools" >&2
	@$(BIN)/python $(PIP) --require-hashes --no-deps -r requirements-dev.lock
	@touch $@

# kalshi-python-sync declares Python 3.13 and runs on 3.11.
.venv-%/.installed: tests/sdk/%.lock
	$(need_python)
	@echo "causeway: installing the official $* client for the tests" >&2
	@$(PYTHON) -m venv --clear .venv-$*
	@.venv-$*/bin/python $(PIP) --ignore-requires-python --require-hashes --no-deps -r $<
	@touch $@

$(PEERS): scripts/peers.lock
	$(need_python)
	@echo "causeway: installing other matching engines for the benchmarks" >&2
	@$(PYTHON) -m venv --clear .venv-peers
	@.venv-peers/bin/python $(PIP) --require-hashes --no-deps -r $<
	@touch $@

.venv-%/.installed: tests/tools/%.lock
	$(need_python)
	@echo "causeway: installing $*, which checks the contracts" >&2
	@$(PYTHON) -m venv --clear .venv-$*
	@.venv-$*/bin/python $(PIP) --require-hashes --no-deps -r $<
	@touch $@

# `npm ci` empties node_modules first, so the full set counts as the small one too.
$(NODE): package-lock.json package.json
	$(need_node)
	@echo "causeway: installing the chain, the compiler and the page's builder" >&2
	@npm ci --ignore-scripts --omit=dev --loglevel=error --no-audit --no-fund >/dev/null
	@touch $@

$(NODE_DEV): package-lock.json package.json
	$(need_node)
	@echo "causeway: installing the contract tools" >&2
	@npm ci --ignore-scripts --loglevel=error --no-audit --no-fund >/dev/null
	@touch $(NODE) $@

$(TYPESCRIPT): tests/sdk/typescript/package-lock.json tests/sdk/typescript/package.json
	$(need_node)
	@echo "causeway: installing the official TypeScript client for the tests" >&2
	@cd tests/sdk/typescript && npm ci --ignore-scripts --loglevel=error --no-audit --no-fund >/dev/null
	@touch $@

# --- lock files: exact versions, hashes of every platform's file, no download addresses ----------------------------

# In package-lock.json some of anvil's and forge's packages for other systems stand with version and platform but no hash:
# the registry that made the lock did not serve them. `npm install --package-lock-only` keeps those entries.
UV_COMPILE := uv pip compile --quiet --universal --generate-hashes --custom-compile-command 'make lock'

lock:
	@command -v uv >/dev/null || { echo "causeway: uv is missing: pipx install uv" >&2; exit 1; }
	$(UV_COMPILE) --python-version 3.11 pyproject.toml --group build -o requirements.lock
	$(UV_COMPILE) --python-version 3.11 pyproject.toml --group build --group dev -c requirements.lock -o requirements-dev.lock
	$(UV_COMPILE) --python-version 3.13 --group pyproject.toml:sdk-kalshi -o tests/sdk/kalshi.lock
	$(UV_COMPILE) --python-version 3.11 --group pyproject.toml:sdk-kalshi-320 -o tests/sdk/kalshi-320.lock
	$(UV_COMPILE) --python-version 3.11 --group pyproject.toml:sdk-kalshi-214 -o tests/sdk/kalshi-214.lock
	$(UV_COMPILE) --python-version 3.11 --group pyproject.toml:sdk-polymarket -o tests/sdk/polymarket.lock
	$(UV_COMPILE) --python-version 3.11 --group pyproject.toml:peers -o scripts/peers.lock
	$(UV_COMPILE) --python-version 3.11 --group pyproject.toml:sdk-quickfix -o tests/sdk/quickfix.lock
	$(UV_COMPILE) --python-version 3.11 --group pyproject.toml:tool-halmos -o tests/tools/halmos.lock
	$(UV_COMPILE) --python-version 3.11 --group pyproject.toml:tool-slither -o tests/tools/slither.lock
	npm install --package-lock-only --ignore-scripts
	cd tests/sdk/typescript && npm install --package-lock-only --ignore-scripts
