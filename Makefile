# Two commands are for everybody: `make demo` and `make test`. Neither needs anything but Python and make.

PY := .venv/bin/python
# Five workers: each costs its collection and a Prefect server, but half of a test's time it waits
# for something.
PYTEST := $(PY) -m pytest -q -n 5 --dist worksteal

# The bytecode of what is imported is kept, whatever this shell is set to: pip compiles nothing.
export PYTHONDONTWRITEBYTECODE =

.PHONY: demo test lint unit slow wheel-test lowest chaos simulation mutations fuzz distributed ui screenshots benchmark \
	reference lock clean

demo: .venv/demo
	@$(PY) examples/demo.py

# Two at a time: mypy needs one processor for most of a minute.
test:
	@$(MAKE) --jobs=2 lint unit

lint: .venv/test
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

# What drives a browser is not even collected, which would import it once for each worker.
NO_BROWSER := --ignore=tests/flows/ui
unit: .venv/compiled
	$(PYTEST) -m "not slow and not wheel and not chaos and not distributed and not ui" $(NO_BROWSER)

# What begins as cold as a user's, is served by Prefect, or fills a disk or a gigabyte.
slow: .venv/test
	$(PY) -m pytest -q -m slow $(NO_BROWSER)

# Builds the wheel, and installs it without the lock into an empty environment, as a user's pip does.
wheel-test: .venv/test
	$(PY) -m pytest -q -m wheel

# Blocks that are saved, and found again, without a Prefect server of one's own.
TEMPORARY_SERVER := test_nobody_else_gets_into_the_server_while_a_command_runs

# With the lowest versions that pyproject.toml allows, the tests of what touches them: Prefect's
# blocks, flows, commands and deployments, pandas and the formats, httpx, fsspec, and the simulator.
# What old versions warn each other of is not ours to mend.
LOWEST_TESTS := $(addprefix tests/, \
	$(addprefix api/, test_client.py test_client_on_bad_days.py test_endpoints.py test_events.py) \
	$(addprefix blocks/, test_block_pages.py test_credentials.py test_image_ad_job.py \
		test_saved_blocks.py) \
	$(addprefix campaign/files/, test_impossible_locations.py test_spreadsheet.py test_storage.py) \
	$(addprefix campaign/files/workbooks/, test_merged_and_struck_cells.py test_pictures_in_rows.py \
		test_workbook_cells.py test_workbooks.py test_xlsx_writer.py) \
	$(addprefix campaign/pictures/, test_contact_sheet.py test_download_trouble.py test_picture_places.py \
		test_pictures.py) \
	$(addprefix campaign/table/, test_reopened_tables.py test_results.py) \
	$(addprefix cli/, test_command.py test_command_before_a_run.py test_deployments.py) \
	$(addprefix flows/, test_bad_input.py test_campaign_flow.py test_templates_and_revisions.py test_watch.py) \
	orchestration/test_tasks.py \
	$(addprefix simulator/, test_catalogue.py test_editable_ads.py test_jobs_and_uploads.py) \
	security/network/test_temporary_server.py::$(TEMPORARY_SERVER))
lowest: .venv-lowest/made
	.venv-lowest/bin/python -m pytest -q -n 3 --dist worksteal -o cache_dir=.venv-lowest/cache \
		-W ignore::DeprecationWarning -W ignore::PendingDeprecationWarning \
		-W ignore::FutureWarning -m "not chaos and not distributed and not ui and not wheel" \
		$(LOWEST_TESTS)

# Campaigns that are killed, in a world of faults: real processes for a minute, and then on virtual
# time drawn ones, and a small one in every way that there is. CI runs it, `make test` a part.
chaos: .venv/test
	$(PY) -m pytest -q -s -m chaos

# Drawn campaigns on virtual time, as many as one likes: `make simulation CAMPAIGNS=1000000`.
CAMPAIGNS := 10000
SEED := 1
simulation: .venv/test
	$(PY) -m tests.simulation --campaigns $(CAMPAIGNS) --seed $(SEED)

# Breaks decisions on purpose, one at a time: the simulation has to find nineteen in twenty.
mutations: .venv/test
	$(PY) -m tests.simulation.mutations

# An hour for each parser of what arrives, two at a time; `make fuzz FUZZ_SECONDS=60` is a first look.
FUZZ_SECONDS := 3600
fuzz: .venv/test
	$(PY) -m tests.security.fuzz --seconds $(FUZZ_SECONDS)

# An environment is as good as the lock it was made from, so the locks are its prerequisites.
.venv/demo: locks/demo.txt locks/pip.txt pyproject.toml scripts/make_venv.sh
	@scripts/make_venv.sh locks/demo.txt
	@touch $@

.venv/test: locks/test.txt locks/pip.txt pyproject.toml scripts/make_venv.sh
	@scripts/make_venv.sh locks/test.txt
	@touch .venv/demo $@

# Compiles what every test worker imports, in one process: all of them would begin with that.
.venv/compiled: .venv/test
	@$(PY) -m pytest -qq --collect-only $(NO_BROWSER) > $@.new || { cat $@.new; false; }
	@mv $@.new $@

# The lowest pandas has no wheels for newer Pythons.
.venv-lowest/made: locks/lowest.txt locks/pip.txt pyproject.toml scripts/make_venv.sh
	@PYTHON="$(PYTHON) python3.11" scripts/make_venv.sh locks/lowest.txt .venv-lowest
	@touch $@

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
	echo pip | $(COMPILE) --generate-hashes -o locks/pip.txt -
	$(COMPILE) pyproject.toml --all-extras --group dev --group build --generate-hashes -o locks/test.txt
	$(COMPILE) pyproject.toml --group build -c locks/test.txt --generate-hashes -o locks/demo.txt
	$(COMPILE) pyproject.toml --all-extras --resolution lowest-direct | \
		$(COMPILE) - --group test --group build --generate-hashes -o locks/lowest.txt

clean:
	rm -rf .venv .venv-lowest demo dist .mypy_cache .ruff_cache .pytest_cache
