# Each target brings what it needs: uv comes from the registry into .venv when none is on the PATH.
UV := $(shell command -v uv 2>/dev/null || echo .venv/bin/uv)
RUN := $(UV) run --no-sync

.PHONY: serve test test-slow test-browser test-services test-cluster cover check fmt bench fuzz
serve: .venv/.serve ; $(RUN) packshot serve
test: .venv/.dev ; $(RUN) pytest -n 2 --dist loadfile
test-slow: .venv/.dev ; $(RUN) pytest -m slow -s
test-browser: .venv/.dev ; $(RUN) pytest -m browser -n 2 --dist loadfile
test-services: .venv/.dev ; $(RUN) pytest -m services -n 2 --dist loadfile
test-cluster: .venv/.dev ; $(UV) sync --quiet --locked --inexact --group cluster && $(RUN) pytest -m cluster
cover: .venv/.dev ; $(RUN) pytest --cov --cov-report=term
check: .venv/.dev ; $(RUN) ruff check . && $(RUN) ruff format --check . && $(RUN) mypy && $(RUN) lint-imports
fmt: .venv/.dev ; $(RUN) ruff check --fix . ; $(RUN) ruff format .
bench: .venv/.dev ; $(RUN) python -m bench
fuzz: .venv/.dev ; $(UV) sync --quiet --locked --inexact --group proof && $(RUN) python -m tests.fuzz --minutes 10

# --inexact: uv itself may live in there.
.venv/.serve: .venv/.uv pyproject.toml uv.lock ; $(UV) sync --quiet --locked --inexact --no-default-groups && touch $@
.venv/.dev: .venv/.uv pyproject.toml uv.lock ; $(UV) sync --quiet --locked --inexact && touch $@ .venv/.serve
.venv/.uv:
	@if command -v uv >/dev/null; then uv venv --quiet --allow-existing .venv; \
	else { python3.11 -m venv .venv || python3 -m venv .venv; } && .venv/bin/python -m pip install --quiet uv; fi
	@touch $@
