# Each target installs its requirements: uv comes from the registry into .venv if the PATH has none.
UV := $(shell command -v uv 2>/dev/null || echo .venv/bin/uv)
RUN := $(UV) run --no-sync
SERVED = $(UV) export --quiet --locked --no-default-groups --no-emit-project $(addprefix --extra ,service postgresql redis storage tracing url)

.PHONY: serve docs test test-most test-slow test-browser test-services test-cluster cover check fmt bench bench-peers fuzz dist sbom audit load faults
serve: .venv/.serve ; $(RUN) packshot serve
test: .venv/.dev ; $(RUN) pytest -n 2 --dist loadfile
test-slow: .venv/.dev ; $(RUN) pytest -m "(slow or release) and not browser" -s $(ARGS)
# Browser and slow in one run, without what is left to releases: one collection of 25 s, one end with an idle core.
test-most: .venv/.dev ; $(RUN) pytest -m "(browser or slow) and not release" -n 2 --dist loadfile
test-browser: .venv/.dev ; $(RUN) pytest -m browser -n 2 --dist loadfile $(ARGS)
test-services: .venv/.dev ; $(RUN) pytest -m "services and not release" -n 2 --dist loadfile
test-cluster: .venv/.cluster ; $(RUN) pytest -m cluster
cover: .venv/.dev ; $(RUN) pytest --cov --cov-report=term
check: .venv/.dev ; $(RUN) ruff check . && $(RUN) ruff format --check . && $(RUN) mypy && $(RUN) lint-imports
fmt: .venv/.dev ; $(RUN) ruff check --fix . ; $(RUN) ruff format .
# The site into site/. It fails on a link or an anchor that leads nowhere. NO_MKDOCS...: no advertisement.
docs: .venv/.docs ; NO_MKDOCS_2_WARNING=1 $(RUN) python -m mkdocs build --strict
bench: .venv/.dev ; $(RUN) python -m bench
# Beside rembg, whose latest release it installs into .venv-rembg.
bench-peers: .venv/.dev ; $(RUN) python -m bench.peers $(ARGS)
load: .venv/.dev ; $(RUN) python -m bench.load
faults: .venv/.dev ; $(RUN) python -m tests.faults
fuzz: .venv/.dev ; $(UV) sync --quiet --locked --inexact --group proof && $(RUN) python -m tests.fuzz --minutes 10
dist: .venv/.uv ; $(UV) build --quiet --out-dir dist
# The packages of a plain installation and of the service's extras, as a list for scanners (CycloneDX).
sbom: .venv/.dev
	@mkdir -p dist && $(UV) sync --quiet --locked --inexact --group proof
	@$(SERVED) --output-file dist/requirements.txt >/dev/null
	@$(RUN) cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --output-format JSON \
		--output-file dist/sbom.cdx.json dist/requirements.txt && echo dist/sbom.cdx.json
# --strict: without its data source the audit would check nothing and still exit with 0.
audit: .venv/.uv
	@mkdir -p dist && $(SERVED) --output-file dist/requirements.txt >/dev/null
	$(UV) tool run pip-audit --strict --disable-pip --requirement dist/requirements.txt

# --inexact: .venv may contain uv itself.
.venv/.serve: .venv/.uv pyproject.toml uv.lock ; $(UV) sync --quiet --locked --inexact --no-default-groups --extra service && touch $@
.venv/.dev: .venv/.uv pyproject.toml uv.lock ; $(UV) sync --quiet --locked --inexact && touch $@ .venv/.serve
.venv/.docs: .venv/.dev ; $(UV) sync --quiet --locked --inexact --group docs && touch $@
.venv/.cluster: .venv/.dev ; $(UV) sync --quiet --locked --inexact --group cluster && touch $@
.venv/.uv:
	@if command -v uv >/dev/null; then uv venv --quiet --allow-existing .venv; \
	else { python3.11 -m venv .venv || python3 -m venv .venv; } && .venv/bin/python -m pip install --quiet uv; fi
	@touch $@
