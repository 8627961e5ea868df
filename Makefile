# passtwist from a fresh checkout: `make serve` or `make test`, each is enough.
# Needs make and Python 3.11 or newer with venv (Debian: python3 python3-venv).

PORT ?= 8080
TESTS ?= tests
ARGS ?=
BENCH_ARGS ?=
# Many tests wait more than they compute; files of tests are kept together.
WORKERS ?= 2
VENV ?= .venv

# The first of these that is a Python 3.11 or newer.
PYTHONS := python3.13 python3.12 python3.11 python3 /usr/bin/python3
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for name in $(PYTHONS); do \
	$$name -c '$(NEW_ENOUGH)' 2>/dev/null && echo $$name && exit; done)

BIN := $(VENV)/bin
SITE := examples/django_site
# A checkout of root's, and maybe its Python, are closed for others.
AS_ROOT = $(if $(filter 0,$(shell id -u)),--default-user root)

.DEFAULT_GOAL := help
.PHONY: help serve test storm fuzz lint docs-check bench bench-quick bench-peers clean

help: ## say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

serve: $(BIN)/ready-to-serve ## serve the three example sites (PORT=8080)
	@$(BIN)/python $(SITE)/prepare.py
	@echo
	@echo 'Django   http://127.0.0.1:$(PORT)/django/   (admin: user admin, password admin)'
	@echo 'Flask    http://127.0.0.1:$(PORT)/flask/'
	@echo 'WSGI     http://127.0.0.1:$(PORT)/hello/'
	@echo 'A changed file of theirs is taken up at once.  Control-C stops.'
	@echo
	@exec $(BIN)/twistd --nodaemon --pidfile= passtwist \
		--config examples/passtwist.toml --listen tcp:$(PORT):interface=127.0.0.1 \
		$(AS_ROOT)

test: $(BIN)/ready-to-test ## run all tests (TESTS=tests/pool ARGS='-k queue')
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS) $(TESTS)

storm: $(BIN)/ready-to-test ## restart, break and kill under load, ten minutes (ARGS='-k smart-1')
	PASSTWIST_STORM=full $(BIN)/python -m pytest -s $(ARGS) tests/storms

fuzz: $(BIN)/ready-to-fuzz ## feed what reads bytes of strangers, five minutes (ARGS='scanner --seconds 60')
	$(BIN)/python -m tests.fuzz --seconds 300 $(ARGS)

lint: $(BIN)/ready-to-test ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy plugins/passtwist-bottle/passtwist_bottle plugins/passtwist-exec/passtwist_exec plugins/passtwist-sticky/passtwist_sticky

docs-check: $(BIN)/ready-to-test ## links, tables and code blocks of the documentation
	$(BIN)/python -m pytest $(ARGS) tests/docs

bench: $(BIN)/ready-to-bench ## measure us and our peers (BENCH_ARGS='--server uwsgi')
	@$(BIN)/python -m benchmarks.install
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

bench-quick: $(BIN)/ready-to-bench ## the same in three minutes, for a first look
	@$(BIN)/python -m benchmarks.install --quick
	$(BIN)/python -m benchmarks --quick $(BENCH_ARGS)

bench-peers: $(BIN)/ready-to-bench ## only install the peers
	@$(BIN)/python -m benchmarks.install

clean: ## remove what was made here, the example's data too
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	rm -rf $(SITE)/data twisted/plugins/dropin.cache
	find passtwist twisted tests examples benchmarks -name __pycache__ -prune -exec rm -rf {} +

# Four stamps, so that serving does not wait for what only tests need.  One
# that is older than pyproject.toml is out of date: requirements may differ.
$(BIN)/ready-to-serve: EXTRAS := examples,dev
$(BIN)/ready-to-bench: EXTRAS := bench
$(BIN)/ready-to-test: EXTRAS := tls,test,lint
$(BIN)/ready-to-fuzz: EXTRAS := test,fuzz
$(BIN)/ready-to-serve $(BIN)/ready-to-bench $(BIN)/ready-to-test $(BIN)/ready-to-fuzz: pyproject.toml
	@test -n '$(PYTHON)' || { \
		echo 'passtwist needs Python 3.11 or newer, and none was found.' ; \
		echo 'Debian 12 and newer: apt-get install python3 python3-venv' ; \
		echo 'Anywhere else: make PYTHON=/path/to/python3 ...' ; exit 1 ; } >&2
	@$(PYTHON) -c '$(NEW_ENOUGH)' || { \
		echo 'passtwist needs Python 3.11 or newer; $(PYTHON) is' \
			"$$($(PYTHON) --version 2>&1)." ; exit 1 ; } >&2
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo '$(PYTHON) cannot make virtual environments: venv or ensurepip is missing.' ; \
		echo 'Debian: apt-get install python3-venv' ; exit 1 ; } >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo 'Installing passtwist[$(EXTRAS)] into $(VENV) ...'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--editable '.[$(EXTRAS)]' || { \
		echo 'pip could not install what passtwist needs (see above).' ; \
		echo 'If the package index is out of reach, name another: make PIP_INDEX_URL=URL ...' ; \
		exit 1 ; } >&2
	@touch $@
