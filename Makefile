# One command to check, the same for people and CI: make check
.PHONY: help install check lint types contracts test lowest wheel bench

help:  ## Show this help
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

install:  ## Install cpguard for development into the active environment, and pull the base model
	python -m pip install --quiet --upgrade "pip>=25.1"
	python -m pip install --quiet --editable ".[train,detoxify]" --group dev
	cpguard models pull

check: lint types contracts test  ## Everything that must be green

lint:  ## Style
	ruff check .
	ruff format --check .

types:  ## Types, strictly
	mypy

contracts:  ## One-way imports
	lint-imports

test:  ## Tests, offline
	python -m pytest

wheel:  ## Build the wheel and run it in a bare environment, from /
	python benchmarks/wheel_smoke.py

lowest:  ## Run the runtime tests on the lowest versions that pyproject.toml allows
	python -m pip install --quiet uv
	uv venv --quiet --clear --python 3.11 .venv-lowest
	uv pip install --quiet --python .venv-lowest --resolution lowest-direct --editable .
	uv pip install --quiet --python .venv-lowest --group test
	.venv-lowest/bin/python -m pytest tests/runtime -m "not extras"

bench:  ## Measure the budgets on this machine and write benchmarks/results/
	python benchmarks/latency.py
