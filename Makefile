# `make demo`, `make test` and `make docs`. All need only Python 3.11-3.13 and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
WORKERS ?= 2

.PHONY: demo test fuzz docs browser lint clean

demo: $(VENV)/.demo-ready
	$(BIN)/python train.py -m experiment=demo
	$(BIN)/python predict.py checkpoint=outputs/demo slides=data/demo/slides/bare.tif \
		output=outputs/demo/bare_slide 'map_genes=[DEMO-M002,DEMO-R001]'
	@echo "Report: outputs/demo/report/index.html; its tables as text: outputs/demo/summary.md. Maps of test sections: outputs/demo/*/maps."
	@echo "The model on all sections: outputs/demo/final/strict (python -m hespotex.info outputs/demo tells of it)."
	@echo "What it predicts on a slide without expression: open outputs/demo/bare_slide/bare.html."

# one thread a worker: the workers share the cores
test: $(VENV)/.test-ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal tests

# Nightly: 10,000 mutations of every kind of image, mask and file of nuclei; `make test` tries 60 of each.
fuzz: $(VENV)/.test-ready
	HESPOTEX_MUTATIONS=10000 $(BIN)/python -m pytest -n $(WORKERS) tests/sections/images/test_image_limits.py tests/nuclei/test_mask_fuzz.py

docs: $(VENV)/.docs-ready
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs outputs/docs
	@echo "Documentation: outputs/docs/index.html"

# The pages' tests need a Chromium; without one they are skipped.
browser:
	command -v chromium || (apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium)

lint: $(VENV)/.test-ready
	$(BIN)/ruff format . && $(BIN)/ruff check --fix . && $(BIN)/mypy

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else f"HESpotEx needs Python 3.11 to 3.13, {sys.executable} is {v[0]}.{v[1]}: try `make PYTHON=python3.12 ...`")'
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.demo-ready: $(VENV)/.python pyproject.toml constraints.txt
	$(PIP) install --progress-bar off --quiet -c constraints.txt -e ".[sweep]"
	touch $@

$(VENV)/.test-ready: $(VENV)/.demo-ready
	$(PIP) install --progress-bar off --quiet -c constraints.txt -e ".[sweep,test,docs,tutorial]"
	touch $@

$(VENV)/.docs-ready: $(VENV)/.demo-ready
	$(PIP) install --progress-bar off --quiet -c constraints.txt -e ".[sweep,docs]"
	touch $@

clean:
	rm -rf $(VENV) outputs .pytest_cache .mypy_cache .ruff_cache
