# Everything a developer does here. `make` alone lists it; `make TARGET ARGS='--case mma_sync.*'` passes options on.

PYTHON ?= python3
ARCH   ?= sm_100a,sm_120a,sm_121a,sm_120f
OUT    ?= build/matrix
CHECK  ?= sm_100a,sm_121a
JOBS   ?= $(shell nproc)
ARGS   ?=

# The environment is rebuilt when its pins, the Python, the machine's kind or the folder is another.
VENV   := .venv
PY     := $(VENV)/bin/python
STAMP  := $(VENV)/.built-$(shell { cat requirements.txt; $(PYTHON) -V; uname -m; pwd; } 2>&1 | sha256sum | cut -c1-12)

# What a user's shell points elsewhere (ROS sets PYTHONPATH on a Thor) must not reach into the environment.
unexport PYTHONPATH PYTHONHOME
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help venv matrix sanity toolchains sweep report test lint types unit check conformance one-by-one bench gpu wheels
.PHONY: mutants format clean distclean

help:  ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14
venv: $(STAMP)  ## build .venv from requirements.txt, once
matrix: $(STAMP)  ## every case on ARCH and on the local GPU: the matrix, printed and under OUT
	$(PY) -m suite run --arch $(ARCH),local --matrix $(OUT) $(ARGS)
sanity: $(STAMP)  ## is this machine fit? exit 0 fit, 1 not fit, 2 could not judge; ARGS='--need PROFILE'
	@$(PY) -m suite sanity $(ARGS)
test: lint types unit check  ## all of the next four
toolchains: $(STAMP)  ## fetch one ptxas of each minor release from 12.8 on into the user's cache folder
	$(PY) -m suite fetch
sweep: toolchains  ## every case on every target with each of those, into build/sweep
	$(PY) -m suite run --arch all --toolchain 12.8,12.9,13.0,13.1,13.2,13.3,13.4,13.5 --record build/sweep/record.jsonl $(ARGS)
report: $(STAMP)  ## the page of the committed records, and of build/sweep if it is there: build/report.html
	$(PY) -m suite report reports/records/*.jsonl* $(wildcard build/sweep/record.*) -o build/report.html $(ARGS)
lint: $(STAMP)  ## ruff, rules and layout
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
types: $(STAMP)  ## mypy, strict
	$(PY) -m mypy
unit: $(STAMP)  ## ptxproof itself, without a GPU
	$(PY) -m pytest tests -m 'not gpu' -n $(JOBS) $(ARGS)
check: $(STAMP)  ## every case on CHECK, the two kinds of Blackwell, as far as this machine allows
	$(PY) -m suite run --arch $(CHECK) --record build/check.jsonl $(ARGS)
conformance: $(STAMP)  ## the same by pytest, an item a cell
	$(PY) -m pytest suite --arch $(CHECK) -n $(JOBS) $(ARGS)
bench: $(STAMP)  ## what a cell costs in batches and alone, and where the time goes: Markdown for docs/speed.md
	$(PY) -m benchmarks.bench_cells
gpu: $(STAMP)  ## every case on the local GPU, and the planted faults
	$(PY) -m pytest suite tests/gpu --arch native $(ARGS)
one-by-one: $(STAMP)  ## assemble every case alone and hold the verdicts against the batches'
	$(PY) -m pytest tests/test_batches.py --all-cases -n $(JOBS) $(ARGS)
mutants: $(STAMP)  ## which numeric inputs find which wrong machine: docs/mutants.md
	$(PY) -m suite mutants --format markdown > docs/mutants.md
format: $(STAMP)  ## let ruff lay out the code and mend what it can
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .
clean:  ## remove what was built, and caches
	rm -rf build .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
distclean: clean  ## remove .venv too
	rm -rf $(VENV)

# Wheels for glibc 2.28 and newer: Debian 10, Ubuntu 20.04, RHEL 8.
wheels: $(STAMP)  ## show that every pin has a wheel for each machine and Python we promise
	@want=$$(grep -c '^[^#]' requirements.txt); rc=0; printf '%-9s %-7s %s\n' machine python wheels; \
	for machine in x86_64 aarch64; do for python in 3.11 3.12 3.13 3.14; do \
	  got=$$($(PY) -m pip install --dry-run --ignore-installed --no-deps --only-binary :all: --target build/none \
	    --implementation cp --python-version $$python --platform manylinux_2_28_$$machine \
	    --platform manylinux_2_17_$$machine --platform manylinux2014_$$machine -r requirements.txt \
	    | sed -n 's/^Would install //p' | wc -w); \
	  printf '%-9s %-7s %s of %s\n' $$machine $$python $$got $$want; [ $$got = $$want ] || rc=1; \
	done; done; exit $$rc

$(STAMP): requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo >&2 \
	  "ptxproof needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1); try PYTHON=python3.12 make"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo >&2 \
	  "$(PYTHON) cannot make an environment: install its venv module (Debian, Ubuntu: apt install python3-venv)"; exit 1; }
	@echo 'Building $(VENV): about 175 MB to download, once.'
	@rm -rf $(VENV) && $(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet --no-deps --only-binary :all: -r requirements.txt
	@cd $(VENV)/lib/python3*/site-packages/nvidia/cu13/bin && rm -f nvcc nvlink cudafe++  # 97 MB beside ptxas, unused
	@touch $@
