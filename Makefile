# Each target brings what it needs: `uv` comes from the registry into .venv when none is on the PATH.
UV := $(shell command -v uv 2>/dev/null || echo .venv/bin/uv)

.PHONY: serve test test-slow check fmt bench
serve: .venv/.ready ; $(UV) run --no-sync packshot serve
test: .venv/.ready ; $(UV) run --no-sync pytest
test-slow: .venv/.ready ; $(UV) run --no-sync pytest -m slow
check: .venv/.ready ; $(UV) run --no-sync ruff check . && $(UV) run --no-sync ruff format --check . && $(UV) run --no-sync mypy && $(UV) run --no-sync lint-imports
fmt: .venv/.ready ; $(UV) run --no-sync ruff check --fix . ; $(UV) run --no-sync ruff format .
bench: .venv/.ready ; $(UV) run --no-sync python -m bench

.venv/.ready: pyproject.toml uv.lock
	@command -v uv >/dev/null 2>&1 || { test -x .venv/bin/python || python3.11 -m venv .venv || python3 -m venv .venv; }
	@command -v uv >/dev/null 2>&1 || test -x .venv/bin/uv || .venv/bin/python -m pip install --quiet uv
	$(UV) sync --locked --inexact
	@touch $@
