# make app     install on first use, analyse the sample clip on first use, serve the page (PORT=8501)
# make test    install what the tests need, run them
# make check   style and types, without running anything
# make screenshots   pictures of every page, light and dark, laptop and phone, in runs/screenshots
# make fuzz    2,000 mutated files to every importer and to the clip reader, about 10 minutes
# make image   the page as a container (DEVICE=cuda, ENGINE=podman); Containerfile says how to run it
# make bench   speed and memory; wants a quiet machine and about half an hour
PYTHON ?= python3.11
PORT   ?= 8501
ENGINE ?= docker
DEVICE ?= cpu
VENV   := .venv
PY     := $(VENV)/bin/python
BROWSER := $(wildcard tests/*browser.py)

.PHONY: app test check screenshots fuzz image bench
.DELETE_ON_ERROR:

app: $(VENV)/installed
	@$(PY) -m freqviz.web --server.port $(PORT)

# Side by side, one processor each; in the browser one after the other, since there moments count.
test: $(VENV)/installed-dev
	OMP_NUM_THREADS=1 $(PY) -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile $(BROWSER:%=--ignore=%)
	$(PY) -m pytest $(BROWSER)

check: $(VENV)/installed-dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

screenshots: $(VENV)/installed-dev
	$(PY) tests/screenshots.py

fuzz: $(VENV)/installed-dev
	$(PY) -m benchmarks.fuzz --files 2000

image:
	$(ENGINE) build --file Containerfile --build-arg DEVICE=$(DEVICE) --build-arg TORCH_INDEX=$(TORCH_INDEX) --tag freqviz .

bench: $(VENV)/installed-dev
	$(PY) -m benchmarks.cost
	$(PY) -m benchmarks.run
	$(PY) -m benchmarks.memory
	$(PY) -m benchmarks.scrub
	$(PY) -m benchmarks.app

# The stamps: a second run installs nothing until a requirements file changes.
$(VENV)/installed: requirements.txt
	@echo "freqviz: installing into $(VENV) (once)."
	@echo "  Downloads about 0.4 GB of libraries, and torch 2.13: 0.2 GB as the CPU build, about 3 GB with the"
	@echo "  NVIDIA libraries that pip takes along on Linux. Nothing outside this folder is changed."
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) was not found; name yours: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("freqviz needs Python 3.11 or later, got " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install "$$(grep '^torch==' requirements.txt)"
	$(PY) -m pip install --quiet -r requirements.txt
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed requirements-dev.txt
	@echo "freqviz: installing what the tests need (about 50 MB)."
	$(PY) -m pip install --quiet -r requirements-dev.txt
	@touch $@
