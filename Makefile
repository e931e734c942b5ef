# `make` alone lists what there is. Everything runs in .venv, made on first use; needs only Python >= 3.11 and make.
PYTHON ?= python3
SECONDS ?= 60
BIN := .venv/bin
# Compiled files are kept, wherever the environment says otherwise: tests start hundreds of processes.
export PYTHONDONTWRITEBYTECODE :=
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
PACKAGING := pyproject.toml constraints.txt  # what an installation depends on

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test test-long test-docs test-machines test-ray test-integrations test-notebook test-page test-browser gallery chromium examples-quick lint types docs check check-all hooks fuzz examples bench bench-limits bench-doctor bench-rate clean

help:
	@echo 'make run           train a digit classifier in seven steps (about a minute the first time, to install)'
	@echo 'make test          run the tests'
	@echo 'make test-long     run those that take seconds each, which `make test` leaves out'
	@echo 'make test-docs     run every command and example of the pages that `make test` leaves out'
	@echo 'make test-machines the numerical tests as other machines run them: older vector units, one thread, busy cores'
	@echo 'make test-ray      run the tests of races on Ray, in an environment of its own'
	@echo 'make test-integrations  run the tests with Lightning, fastai, Hugging Face, Keras, skorch, ONNX and pandas, in an environment of their own'
	@echo 'make test-notebook  cells, saved notebooks and exports in a real Jupyter, in an environment of its own; needs Chromium'
	@echo 'make test-page     the page of reports: its types and unit tests; needs Node'
	@echo 'make test-browser  reports in real browsers: needs Chromium, which root has installed by apt-get; and Firefox, where there is one'
	@echo 'make gallery       the same, and the pictures of them into docs/gallery'
	@echo 'make lint          ruff: rules and format'
	@echo 'make types         mypy, strict'
	@echo 'make docs          build the documentation into docs/_build/html'
	@echo 'make check         lint, types and docs'
	@echo 'make check-all     all that and every test, the slow ones too'
	@echo 'make hooks         check lint, format and types before every commit'
	@echo 'make fuzz          broken input of every kind, 60 seconds for each; SECONDS=600 for longer'
	@echo 'make examples      reproduce the published figures, ten seeds each, into examples/RESULTS.md (about 20 minutes)'
	@echo 'make examples-quick  run every example with few seeds: each asserts its figures'
	@echo 'make bench         time epochs and whole calls beside other libraries, in an environment of their own (about 20 minutes)'
	@echo 'make bench-limits  memory, growth, training from the disk, saving, busy machines, the way to 99 % of MNIST (about 20 minutes)'
	@echo 'make bench-doctor  how often the doctor is right, beside other tools, and what watching costs (about an hour)'
	@echo 'make bench-rate    how good the suggested learning rates are, beside other finders (about half an hour)'
	@echo 'make clean         remove .venv, caches and built files; runs/ stays'
	@echo 'PYTHON=python3.12 chooses the Python that .venv is made with.'

run: .venv/.run
	@$(BIN)/sevensteps train digits

test: .venv/.dev
	@$(BIN)/pytest -n 2 --dist worksteal -m 'not slow and not long'

test-long: .venv/.dev
	@$(BIN)/pytest -n 2 --dist worksteal -m 'long and not slow'

test-docs: .venv/.dev
	@OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist worksteal -m slow tests/test_docs.py tests/test_docs_commands.py

test-machines: .venv/.dev
	@$(BIN)/python -m tests.helpers.machines

test-ray: .venv-ray/.done
	@.venv-ray/bin/python -m pytest tests/racing/test_ray_cluster.py tests/racing/test_ray_tasks.py

# Other libraries warn of each other; what is ours may not.
test-integrations: .venv-integrations/.done
	@OMP_NUM_THREADS=1 .venv-integrations/bin/python -m pytest -n 2 --dist loadfile tests/integrations tests/record/test_onnx_file.py tests/record/test_history.py -W default -W error:::sevensteps

test-notebook: .venv-notebook/.done chromium
	@OMP_NUM_THREADS=1 .venv-notebook/bin/python -m pytest tests/notebook

test-page: tests/web/node_modules/.done
	@cd tests/web && npm run --silent types && npm test --silent

test-browser gallery: .venv/.browser chromium
	@OMP_NUM_THREADS=1 SEVENSTEPS_GALLERY=$(if $(filter gallery,$@),1,) $(BIN)/pytest tests/browser --timeout 300

chromium:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || { \
	    [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq chromium >/dev/null; } || { \
	    echo 'make: there is no chromium; install it: sudo apt-get install chromium' >&2; exit 1; }

lint: .venv/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet . || { echo 'make: not formatted; run .venv/bin/ruff format' >&2; exit 1; }

types: .venv/.dev
	@$(BIN)/mypy

docs: .venv/.docs
	@$(BIN)/sphinx-build -W --keep-going -q docs docs/_build/html
	@echo 'docs: docs/_build/html/index.html'

check: lint types docs

check-all: check .venv/.fuzz
	@$(BIN)/pytest -n 2 --dist worksteal --hypothesis-profile thorough
	@$(MAKE) test-integrations
	@$(BIN)/python -m tests.hostile.fuzz --seconds 5

hooks: .venv/.dev
	@$(BIN)/pre-commit install

fuzz: .venv/.fuzz
	@$(BIN)/python -m tests.hostile.fuzz --seconds $(SECONDS)

examples: .venv/.dev
	@$(BIN)/python -m examples
	@$(BIN)/python -m examples.notebooks

examples-quick: .venv/.dev
	@$(BIN)/python -m examples --quick

bench: .venv-bench/.done
	@.venv-bench/bin/python -m benchmarks.speed
	@.venv-bench/bin/python -m benchmarks.limits --part speed

bench-limits: .venv-bench/.done
	@.venv-bench/bin/python -m benchmarks.limits --part cost

bench-doctor: .venv-doctor/.done
	@.venv-doctor/bin/python -m benchmarks.doctor --write
	@.venv-doctor/bin/python -m benchmarks.doctor.step_faults --write
	@.venv-doctor/bin/python -m benchmarks.doctor.atlas --write
	@.venv-doctor/bin/python -m benchmarks.doctor.remedies --write
	@.venv-doctor/bin/python -m benchmarks.doctor.peers --write
	@.venv-doctor/bin/python -m benchmarks.doctor.cost --write

bench-rate: .venv-bench/.done
	@.venv-bench/bin/python -m benchmarks.rate --write

clean:
	rm -rf .venv .venv-bench .venv-doctor .venv-ray .venv-integrations .venv-notebook build dist docs/_build .mypy_cache .pytest_cache .ruff_cache .hypothesis tests/web/node_modules
	find sevensteps tests docs benchmarks examples -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

# A stamp per set of packages: rebuilt when the packaging files change, so that a second call starts at once.
# hatchling is installed first, under the constraints, because a build of its own would take any version.
.venv/.run: $(PACKAGING) | .venv/pyvenv.cfg
	@echo 'make: installing sevensteps into .venv; the first time this fetches PyTorch and takes a while'
	@$(PIP) hatchling
	@$(PIP) --no-build-isolation -e .
	@touch $@

.venv/.dev: .venv/.run
	@echo 'make: installing the test tools into .venv'
	@$(PIP) --no-build-isolation -e '.[dev]'
	@touch $@

.venv/.fuzz: .venv/.dev
	@echo 'make: installing the fuzzer into .venv'
	@$(PIP) --no-build-isolation -e '.[dev,fuzz]'
	@touch $@

.venv/.browser: .venv/.dev
	@echo 'make: installing what drives the browser into .venv'
	@$(PIP) --no-build-isolation -e '.[dev,browser]'
	@touch $@

.venv/.docs: .venv/.dev
	@echo 'make: installing the documentation tools into .venv'
	@$(PIP) --no-build-isolation -e '.[dev,docs]'
	@touch $@

.venv-bench/.done: benchmarks/requirements.txt
.venv-doctor/.done: benchmarks/doctor/requirements.txt
.venv-integrations/.done: tests/integrations/requirements.txt
.venv-notebook/.done: tests/notebook/requirements.txt
.venv-bench/.done .venv-doctor/.done .venv-integrations/.done .venv-notebook/.done: | .venv/pyvenv.cfg
	@echo 'make: installing the other libraries into $(@D)'
	@$(BIN)/python -m venv --clear $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r $<
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

tests/web/node_modules/.done: tests/web/package.json tests/web/package-lock.json
	@echo 'make: installing the tools of the page into $(@D)'
	@cd tests/web && npm ci --silent --no-audit --no-fund
	@touch $@

.venv-ray/.done: $(PACKAGING) | .venv/pyvenv.cfg
	@echo 'make: installing Ray and the test tools into $(@D)'
	@$(BIN)/python -m venv --clear $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt hatchling
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-build-isolation -e '.[dev,ray]'
	@touch $@

.venv/pyvenv.cfg:
	@command -v $(PYTHON) >/dev/null || { \
	    echo 'make: there is no $(PYTHON) here; install Python 3.11 or newer, or name one: make PYTHON=python3.12' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "make: sevensteps needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1 | cut -d' ' -f2); name a newer one: make PYTHON=python3.12" >&2; exit 1; }
	@echo "make: creating .venv with $$($(PYTHON) -V)"
	@$(PYTHON) -m venv .venv || { \
	    rm -rf .venv; echo 'make: $(PYTHON) cannot make a virtual environment; on Debian or Ubuntu: apt install python3-venv' >&2; exit 1; }
