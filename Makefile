# Everything a fresh machine needs is python3 with its venv module, and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help gallery test tools oracle load lint types bench clean

help:
	@echo "make gallery   draw all the gallery's pictures and its page"
	@echo "make test      run the tests"
	@echo "make oracle    hold the numbers against PyTorch, ONNX and TensorFlow's rule"
	@echo "make load      test faults, load and odd input at full length"
	@echo "make lint      check the style"
	@echo "make types     check the types"
	@echo "make bench     measure speed, size and memory"

# An environment for using the package, and one stamp a group of development tools.
$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable .
	$(BIN)/python -m compileall -q convviz
	touch $@

$(VENV)/.installed-%: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --group $*
	touch $@

gallery: $(VENV)/.installed
	$(BIN)/python gallery/build.py

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n auto

# Every package and program that a test can use: without them those tests are skipped, in CI they fail.
tools: $(VENV)/.installed-tools

oracle: $(VENV)/.installed-test $(VENV)/.installed-oracle
	$(BIN)/python -m pytest tests/oracle

# The tests of faults, load and fuzzing at full length: about half an hour.
load: $(VENV)/.installed-test
	CONVVIZ_RENDERS=10000 CONVVIZ_KILLS=100 CONVVIZ_FUZZ=4000 \
		$(BIN)/python -m pytest tests/test_load.py tests/test_faults.py tests/test_fuzz.py

lint: $(VENV)/.installed-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-lint
	$(BIN)/mypy

bench: $(VENV)/.installed
	$(BIN)/python benchmarks/bench.py

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
