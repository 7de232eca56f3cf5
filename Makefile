# Two commands are for everybody: `make demo` and `make test`. Neither needs anything but Python and make.

PY := .venv/bin/python
# Four workers, because half of the tests wait for something most of the time.
PYTEST := $(PY) -m pytest -q -n 4 --dist worksteal

.PHONY: demo test lint unit wheel-test chaos distributed ui screenshots benchmark reference lock clean

demo: .venv/demo
	@$(PY) examples/demo.py

test: lint unit wheel-test

lint: .venv/test
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

unit: .venv/test
	$(PYTEST) -m "not wheel and not chaos and not distributed and not ui"

wheel-test: .venv/test
	$(PY) -m pytest -q -m wheel

# Three minutes of campaigns that are killed, in a world of faults. CI runs it, `make test` a part.
chaos: .venv/test
	$(PY) -m pytest -q -s -m chaos

# An environment is as good as the lock it was made from, so the locks are its prerequisites.
.venv/demo: locks/demo.txt pyproject.toml scripts/make_venv.sh
	@scripts/make_venv.sh locks/demo.txt
	@touch $@

.venv/test: locks/test.txt pyproject.toml scripts/make_venv.sh
	@scripts/make_venv.sh locks/test.txt
	@touch .venv/demo $@

# Ten minutes: what users would do instead, and this, side by side. Writes docs/benchmark.*.
benchmark: .venv/test
	$(PY) -m benchmarks --output docs

# From the docstrings; a test tells when it is out of date.
reference: .venv/test
	$(PY) scripts/make_reference.py

# Campaigns on local clusters of Dask and Ray, which take half a minute each to come and go.
distributed: .venv/test
	$(PY) -m pytest -q -m distributed

# A Prefect server and its UI, in a browser; two minutes.
ui: .venv/test
	scripts/need_chromium.sh
	$(PY) -m pytest -q -m ui

# Takes the pictures docs/ui_*.png anew.
screenshots: .venv/test
	scripts/need_chromium.sh
	$(PY) scripts/screenshots.py

# Needs uv (https://docs.astral.sh/uv/); only for whoever changes a dependency.
COMPILE := uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-annotate --no-header
lock:
	$(COMPILE) pyproject.toml --all-extras --group dev --group build --generate-hashes -o locks/test.txt
	$(COMPILE) pyproject.toml --group build -c locks/test.txt --generate-hashes -o locks/demo.txt
	$(COMPILE) pyproject.toml --all-extras --resolution lowest-direct | \
		$(COMPILE) - --group test --group build --generate-hashes -o locks/lowest.txt

clean:
	rm -rf .venv demo dist .mypy_cache .ruff_cache .pytest_cache
