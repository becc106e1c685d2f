# SPDX-License-Identifier: MIT

# Two commands on a fresh machine: `make demo` and `make test`. Both set up .venv first.
PYTHON ?= python3
MINUTES ?= 30
WORKERS ?= 2
export PYTHONUNBUFFERED = 1

.PHONY: help setup demo lint test test-all docs faults soak mutants format lock clean

help:
	@echo "make demo    the live graph on a bundled recording; prints glosses"
	@echo "make test    make lint and the fast tests"
	@echo "make test-all  make lint and all tests"
	@echo "make lint    ruff, mypy, import-linter, codespell and schemas, as pre-commit runs them"
	@echo "make docs    the documentation as web pages in build/docs; any warning fails"
	@echo "make faults  break things around the live graph; it must get over each"
	@echo "make soak    visitors before the live graph at 120 Hz for MINUTES=30: losses, memory, glosses"
	@echo "make mutants break the sources on purpose; the tests must notice"
	@echo "make setup   only make .venv, with everything but the developer's tools"
	@echo "make format  let ruff format and mend the sources"
	@echo "make lock    write requirements/lock.txt anew (needs uv)"
	@echo "make clean   remove .venv and everything else that was made here"

# A test that takes ten minutes hangs.
pytest = .venv/bin/pytest --numprocesses $(WORKERS) --dist loadgroup --timeout 600

# $(call set-up,EXTRAS...)
set-up = @command -v $(PYTHON) >/dev/null || { echo "set-up: error: $(PYTHON) missing; install:" \
	"sudo apt install python3 python3-venv python3-dev g++" >&2; exit 2; }; \
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 7))" || { echo "set-up: error:" \
	"$(PYTHON) is too old; install Python 3.10 to 3.14 and name it with PYTHON=..." >&2; exit 2; }; \
	$(PYTHON) tools/bootstrap.py --extras $(1)

setup:
	$(call set-up,camera leap train)
	@.venv/bin/python tools/hand_landmarker.py

demo:
	$(call set-up,)
	@.venv/bin/whispersign demo

test: lint
	$(pytest) -m "not slow" --hypothesis-profile fast

test-all: lint
	$(pytest)

# pre-commit asks git which files there are; an archive of the sources has no git.
lint:
	$(call set-up,camera dev leap train)
	@.venv/bin/python tools/hand_landmarker.py
	@if [ -e .git ]; then echo ".venv/bin/pre-commit run --all-files"; \
	.venv/bin/pre-commit run --all-files; else echo "lint: not run: no git repository here"; fi

docs:
	$(call set-up,camera docs leap train)
	@rm -rf build/docs docs/reference/api
	.venv/bin/python -m sphinx --quiet --fail-on-warning --keep-going --jobs auto docs build/docs

faults:
	$(call set-up,)
	@PYTHONPATH=tools .venv/bin/python -m reliability.faults --write docs/reference/reliability.md

soak:
	$(call set-up,)
	@PYTHONPATH=tools .venv/bin/python -m reliability.soak --minutes $(MINUTES) --write docs/reference/reliability.md

mutants:
	$(call set-up,dev train)
	.venv/bin/python tools/mutants.py

format:
	$(call set-up,dev)
	.venv/bin/ruff format
	.venv/bin/ruff check --fix

# One lock for every supported Python, with the markers that say the same on each line taken out.
lock:
	uv pip compile --quiet --upgrade --universal --python-version 3.10 --all-extras \
	    --no-annotate --no-header setup.cfg requirements/build.txt requirements/ros.txt \
	    --output-file requirements/lock.new
	sed -E -e "1i # Exact versions for Python 3.10 to 3.14 on Linux; written by 'make lock'." \
	    -e "s/python_full_version < '3.15'( and |$$)//" \
	    -e "s/( and )?sys_platform == 'linux'//g" -e "s/ ; *$$//" \
	    requirements/lock.new > requirements/lock.txt
	rm requirements/lock.new

clean:
	rm -rf .venv .venv.lock build install log *.egg-info .mypy_cache .pytest_cache .ruff_cache \
	    .grimp_cache .import_linter_cache docs/reference/api
