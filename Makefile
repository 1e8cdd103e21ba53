# The commands: `make demo`, `make test`, `make check`. Everything lives in .venv.

# The newest Python that really runs (a version manager leaves names of those it does not use)
# and can make an environment; where there is none, what fails says why.
PYTHON ?= $(shell for p in python3.14 python3.13 python3.12 python3.11 python3; do \
  $$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; exit; }; \
  done; echo python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready

.PHONY: demo test check wheel bench pictures lock clean

demo: $(STAMP)
	@$(BIN)/cofa demo

test: $(STAMP)
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The suite once more, from the built wheel: what users install, with all its package data.
WHEEL := build/wheel
wheel: $(STAMP)
	@rm -rf build dist
	@$(BIN)/python -m build --wheel --no-isolation --outdir dist . >/dev/null
	@$(PYTHON) -m venv --without-pip $(WHEEL)
	@$(BIN)/python -m pip --python $(WHEEL)/bin/python install --quiet --disable-pip-version-check --no-deps dist/*.whl
	@$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
	  > $$($(WHEEL)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/dependencies.pth
	@$(WHEEL)/bin/python -m pytest -m "not live" -q $(PYTEST_ARGS)

bench: $(STAMP)
	@$(BIN)/python tests/bench/run.py

pictures: $(STAMP)
	@$(BIN)/python docs/pictures.py

$(STAMP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "cofa needs Python 3.11 or newer; $(PYTHON) is older" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	  || { echo "the venv module is missing: apt-get install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

lock: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	  --no-emit-index-url --custom-compile-command "make lock" --extra dev --output-file requirements/dev.txt pyproject.toml

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache
