# The commands of a fresh clone. They need Python 3.11 or later, make, git and a package index; nothing else.

PYTHON ?= python3
TEST_ARGS ?= -n 2 --dist worksteal

VENV := .venv
RUN := $(VENV)/bin/python -m
PLUGINS := plugins/s3 plugins/azure plugins/gcs
PYPROJECTS := pyproject.toml $(PLUGINS:=/pyproject.toml)
QUICKSTART := examples/quickstart
AZURITE := .tools/azurite/ready

.DEFAULT_GOAL := help
.PHONY: help demo test lint install versions clean

help: ## List the commands.
	@sed -n 's/^\([a-z]*\):.*## /  make \1|/p' $(MAKEFILE_LIST) | awk -F '|' '{ printf "%-16s %s\n", $$1, $$2 }'

demo: $(VENV)/ready-core ## Mirror examples/quickstart/site into a folder, twice: the second run finds nothing to do.
	@rm -rf $(QUICKSTART)/mirrored $(QUICKSTART)/.cloudsync
	@for run in first second; do \
		printf '\n== The %s run: cloudsync run $(QUICKSTART)/cloudsync.yaml\n\n' $$run; \
		$(RUN) cloudsync_core run $(QUICKSTART)/cloudsync.yaml || exit; \
	done
	@diff -r --exclude '*.tmp' $(QUICKSTART)/site $(QUICKSTART)/mirrored
	@printf '\ndiff -r finds no difference between $(QUICKSTART)/site and $(QUICKSTART)/mirrored, but for what is excluded.\n'

test: $(VENV)/ready-test $(AZURITE) ## Run the whole test suite, against real servers on this machine.
	$(RUN) pytest $(TEST_ARGS)

lint: $(VENV)/ready-lint ## Check style, formatting, types and the direction of imports.
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) mypy
	$(VENV)/bin/lint-imports

install: $(VENV)/ready-dev ## Set up .venv for work on cloudsync itself.

versions: $(VENV)/ready-test ## Print the versions of everything that the tests run with.
	@$(VENV)/bin/python --version
	@$(RUN) pip freeze --exclude-editable
	@sed -n 's/.*"azurite": "\(.*\)"/azurite==\1/p' tests/servers/node/package.json

clean: ## Remove what these commands made.
	rm -rf $(VENV) .tools .nox .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist build
	rm -rf $(QUICKSTART)/mirrored $(QUICKSTART)/.cloudsync

# Each stamp says that .venv holds what its commands need; it is older than a project file that changed since.
$(VENV)/ready-core: pyproject.toml
	@$(check-python)
	$(PYTHON) -m venv $(VENV)
	$(RUN) pip install --quiet --upgrade 'pip>=25.1'
	$(RUN) pip install --quiet --editable .
	@touch $@

$(VENV)/ready-test $(VENV)/ready-lint $(VENV)/ready-dev: $(VENV)/ready-%: $(VENV)/ready-core $(PYPROJECTS)
	$(RUN) pip install --quiet --editable . $(PLUGINS:%=--editable %) --group $*
	@touch $@

$(AZURITE): tests/servers/node/package-lock.json | $(VENV)/ready-test
	$(RUN) tests.servers.install_azurite

define check-python
command -v "$(PYTHON)" >/dev/null || { \
	echo "cloudsync needs Python 3.11 or later, and there is no '$(PYTHON)' here."; \
	echo "Install it, or name another one: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 1; } >&2; \
"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	echo "cloudsync needs Python 3.11 or later; '$(PYTHON)' is $$("$(PYTHON)" --version 2>&1)."; \
	echo "Name another one: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 1; } >&2; \
"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
	echo "'$(PYTHON)' has no venv module; on Debian and Ubuntu: apt install python3-venv"; exit 1; } >&2
endef
