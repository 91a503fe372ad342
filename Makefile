# Everything a user types. Each target sets up what it needs, once.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test check bench truth format setup clean

run: setup
	@$(BIN)/fleetrush run

test: setup check
	@$(BIN)/python -m pytest -n 2 --dist loadscope -m "not alone"
	@$(BIN)/python -m pytest -m alone

check: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: setup
	@$(BIN)/python -m tests.benchmarks $(ONLY)

truth: setup
	@$(BIN)/python -m tests.truth $(ONLY)

format: setup
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

setup: .venv/.done

.venv/.done: pyproject.toml constraints.txt
	@$(PYTHON) -m venv .venv
	@echo "setting up .venv (once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

clean:
	rm -rf .venv runs build *.egg-info
