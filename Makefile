.DEFAULT_GOAL := help
.PHONY: help lab setup fmt lint types test test-fast test-slow notebooks bench clean

BIN       := .venv/bin
INSTALLED := .venv/installed
LOG       := .venv/install.log
CHECK     := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
CANDIDATES = $(if $(PYTHON),$(PYTHON),python3 python3.13 python3.12 python3.11)
SAY       := echo ptm_explore:

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1|\2/p' Makefile | awk -F'|' '{printf "%-16s%s\n", $$1, $$2}'
	@echo 'PYTHON=/path/to/python3.12 picks the Python of a new .venv; LAB_ARGS="--no-browser --port 8890" goes to JupyterLab.'

# --allow-root: in a container one often is root. root_dir: else Jupyter would see nothing outside notebooks/.
lab: $(INSTALLED)  ## open the chapters in JupyterLab
	@exec $(BIN)/jupyter-lab --allow-root --ServerApp.root_dir='$(CURDIR)' notebooks/00_start_here.ipynb $(LAB_ARGS)

setup: $(INSTALLED)  ## install everything, test tools included, into .venv
	@$(SAY) 'ready; make lab opens the chapters'

# A Python that only seems to be there (a pyenv shim, a store alias) fails CHECK like one that is too old.
$(INSTALLED): pyproject.toml constraints.txt
	@$(BIN)/python -c 'import pip; $(CHECK)' 2>/dev/null || { \
	  for python in $(CANDIDATES); do "$$python" -c '$(CHECK)' 2>/dev/null && break; python=; done; \
	  test -n "$$python" || { $(SAY) 'needs Python 3.11, 3.12 or 3.13; not found as: $(CANDIDATES).' \
	    'Install one, or name it: make setup PYTHON=/path/to/python3.12' >&2; exit 1; }; \
	  "$$python" -m venv --clear .venv >/dev/null || { $(SAY) "$$python has no working venv module." \
	    'On Debian and Ubuntu: apt install python3-venv' >&2; exit 1; }; }
	@$(SAY) 'installing into .venv, once, in some minutes; details are in $(LOG)'
	@rm -f $(LOG); $(BIN)/python -m pip install -q --log $(LOG) -c constraints.txt -e '.[dev]' >/dev/null 2>&1 || { \
	  if grep -qE 'connection error|timed out|ConnectTimeout' $(LOG); \
	  then $(SAY) 'cannot reach the package index ($(LOG) says which).' 'Connect to the network and try again' >&2; \
	  else $(SAY) "pip failed; the last lines of $(LOG) say why" >&2; fi; exit 1; }
	@touch $@

fmt: $(INSTALLED)  ## format the code, strip the notebooks
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(BIN)/nbstripout notebooks/*.ipynb

lint: $(INSTALLED)  ## check style and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(INSTALLED)  ## check types
	@$(BIN)/mypy ptm_explore

test: $(INSTALLED)  ## all tests but the slow ones (minutes)
	@$(BIN)/python -m pytest -m 'not slow' $(TEST_ARGS)

test-fast: $(INSTALLED)  ## neither slow tests, nor chapters, nor the browser
	@$(BIN)/python -m pytest -m 'not slow and not notebooks and not browser' $(TEST_ARGS)

test-slow: $(INSTALLED)  ## only the slow tests
	@$(BIN)/python -m pytest -m slow $(TEST_ARGS)

notebooks: $(INSTALLED)  ## run every chapter from a clean kernel; times and memory in test-artefacts/chapters.json
	@PTM_BUDGET_SCALE=1 $(BIN)/python -m pytest tests/notebooks $(TEST_ARGS)

bench: $(INSTALLED)  ## run the benchmarks
	@$(BIN)/python -m benchmarks $(BENCH_ARGS)

clean:  ## remove caches and test artefacts (.venv stays; rm -rf .venv for a new one)
	@rm -rf build dist test-artefacts .pytest_cache .mypy_cache .ruff_cache
	@find . -name .venv -prune -o -name .git -prune -o \( -name __pycache__ -o -name .ipynb_checkpoints \) -exec rm -rf {} +
