# `make help` lists the targets. Every step leaves a stamp in the virtual
# environment, so that Ctrl-C loses at most the step that was running.

VENV ?= .venv
# The interpreter for the virtual environment; empty: the first that fits.
PYTHON ?=
# A folder of ready wheels, for mmcv above all.
WHEELHOUSE ?=
# Another package index for torch, such as one with CPU-only builds.
TORCH_INDEX ?=

# The synthetic data set that `make train` learns from.
DATA ?= data/sewersim
RUNS ?= 28
FRAMES ?= 16
SEED ?= 0
WORKERS ?= $(shell getconf _NPROCESSORS_ONLN)
DATA_ARGS ?=

# The main job.
CONFIG ?= configs/dsrnet/teacher_quick.py
WORK_DIR ?= work_dirs/$(basename $(notdir $(CONFIG)))
# Overrides of the config, such as train_cfg.max_iters=100.
OPTIONS ?=
TRAIN_ARGS ?=
COMPARE_ARGS ?= --max-samples 24
PYTEST_ARGS ?=
# Tests at a time, one thread each.
TEST_WORKERS ?= $(shell getconf _NPROCESSORS_ONLN)

export NO_ALBUMENTATIONS_UPDATE = 1
export HF_HUB_DISABLE_TELEMETRY = 1
export TOKENIZERS_PARALLELISM = false
export TF_CPP_MIN_LOG_LEVEL = 3
export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PIP_ROOT_USER_ACTION = ignore

LANE = requirements/constraints.txt
STAMPS = $(VENV)/.stamps
BIN = $(VENV)/bin
RUN = $(BIN)/python
PIP = $(RUN) -m pip install -c $(LANE) \
	$(if $(WHEELHOUSE),--find-links '$(abspath $(WHEELHOUSE))')
ALL_OPTIONS = $(foreach part,train val test,\
	$(part)_dataloader.dataset.data_root=$(DATA)) $(OPTIONS)
EXTRAS = video serve depth peers imagenet onnx openvino int8 slurm coco train seg det cls tests
FITS = import sys; sys.exit(sys.version_info[:2] not in ((3, 10), (3, 11)))

.DEFAULT_GOAL = help
.DELETE_ON_ERROR:
.PHONY: help setup doctor data train test coverage lanes docs lint clean \
  distclean

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E \
	  's/^([a-z]+):.*## /  make \1\t/' | expand -t 20
	@echo 'Variables: PYTHON=python3.11 WHEELHOUSE=folder TORCH_INDEX=address'
	@echo '           DATA= RUNS= FRAMES= CONFIG= OPTIONS= PYTEST_ARGS='

# --------------------------------------------------------------- environment
setup: $(STAMPS)/doctor ## virtual environment with the whole version lane

$(STAMPS)/venv:
	@python='$(PYTHON)'; \
	for name in python3.11 python3.10 python3; do \
	  if [ -z "$$python" ] && $$name -c '$(FITS)' 2>/dev/null; then \
	    python=$$name; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo 'No Python 3.10 or 3.11 found: install one, or name it with' \
	    'PYTHON=/path/to/python3.11.' >&2; exit 2; \
	elif ! command -v $$python >/dev/null; then \
	  echo "PYTHON=$$python: no such program." >&2; exit 2; \
	elif ! $$python -c '$(FITS)'; then \
	  echo "$$python is $$($$python --version 2>&1); mmdsr needs Python" \
	    '3.10 or 3.11: set PYTHON=/path/to/python3.11.' >&2; exit 2; \
	fi; \
	echo "Making $(VENV) with $$($$python --version)"; \
	$$python -m venv $(VENV)
	@$(RUN) -c '$(FITS)' || { echo '$(VENV) has another Python than 3.10' \
	  'or 3.11: run "make distclean" first.' >&2; exit 2; }
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/build: $(STAMPS)/venv requirements/build.txt $(LANE)
	@$(if $(WHEELHOUSE),test -d '$(WHEELHOUSE)' || { \
	  echo 'WHEELHOUSE=$(WHEELHOUSE) is no folder.' >&2; exit 2; })
	$(PIP) -r requirements/build.txt
	@touch $@

$(STAMPS)/torch: $(STAMPS)/build
	@echo 'torch: on Linux the default build brings CUDA, about 3 GB;' \
	  'TORCH_INDEX=address takes another.'
	$(PIP) $(if $(TORCH_INDEX),--index-url '$(TORCH_INDEX)') \
	  torch torchvision
	@touch $@

$(STAMPS)/extras: $(STAMPS)/torch requirements/runtime.txt \
    $(EXTRAS:%=requirements/%.txt)
	$(PIP) $(patsubst %,-r requirements/%.txt,runtime $(EXTRAS))
	@# Two packages write the same cv2 folder; the headless one, which needs
	@# no libGL, has to be the last.
	$(PIP) --no-deps --force-reinstall opencv-python-headless
	@touch $@

$(STAMPS)/mmcv: $(STAMPS)/extras
	@if ! $(PIP) -q --only-binary mmcv mmcv 2>/dev/null; then \
	  echo 'mmcv: no ready wheel (WHEELHOUSE=folder gives one); building it' \
	    'from source, about 23 minutes on 2 cores.'; \
	  $(PIP) -v --no-build-isolation mmcv; \
	fi
	@touch $@

# mmagic declares a dozen packages that no part of mmdsr uses.
$(STAMPS)/mmagic: $(STAMPS)/mmcv
	$(PIP) --no-deps mmagic
	@touch $@

$(STAMPS)/mmdsr: $(STAMPS)/mmagic setup.py pyproject.toml mmdsr/version.py
	$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(STAMPS)/doctor: $(STAMPS)/mmdsr $(wildcard mmdsr/doctor/*.py)
	$(RUN) -m mmdsr.doctor
	@touch $@

doctor: $(STAMPS)/mmdsr ## check the environment, and report how to fix it
	$(RUN) -m mmdsr.doctor

# ------------------------------------------------------------------ main job
data: setup ## synthetic sewer data (DATA_ARGS=--overwrite remakes it)
	$(RUN) tools/dataset_converters/make_sewersim.py $(DATA) --runs $(RUNS) \
	  --frames $(FRAMES) --seed $(SEED) --workers $(WORKERS) $(DATA_ARGS)

train: data ## set up, make data, train, evaluate, draw: the main job
	$(RUN) tools/train.py $(CONFIG) --work-dir $(WORK_DIR) --resume auto \
	  $(TRAIN_ARGS) --cfg-options $(ALL_OPTIONS)
	$(RUN) tools/analysis_tools/compare.py $(CONFIG) $(WORK_DIR) $(DATA) \
	  $(COMPARE_ARGS) $(if $(OPTIONS),--cfg-options $(OPTIONS))

# --------------------------------------------------------------- development
test: setup ## set up, then pytest (PYTEST_ARGS='-m "not slow"' is quicker)
	OMP_NUM_THREADS=1 $(RUN) -m pytest -n $(TEST_WORKERS) --dist worksteal \
	  $(PYTEST_ARGS)

coverage: setup ## the tests, and which lines and branches they reach
	OMP_NUM_THREADS=1 $(RUN) -m pytest -n $(TEST_WORKERS) --dist worksteal \
	  --cov --cov-report=term --cov-report=html:build/coverage $(PYTEST_ARGS)

lanes: ## the core on the oldest and the newest releases, no host needed
	TORCH_INDEX='$(TORCH_INDEX)' .ci/lanes oldest
	TORCH_INDEX='$(TORCH_INDEX)' .ci/lanes newest

lint: setup ## ruff, codespell and phrases, as in the commit hook, and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(RUN) tools/dev/phrases.py
	$(BIN)/mypy

$(STAMPS)/docs: $(STAMPS)/mmdsr requirements/docs.txt
	$(PIP) -r requirements/docs.txt
	@touch $@

docs: $(STAMPS)/docs ## HTML documentation in docs/_build/html
	$(RUN) -m sphinx -W --keep-going -b html docs docs/_build/html
	@echo 'Open docs/_build/html/index.html'

clean: ## remove built files, keep environment, data and checkpoints
	rm -rf build dist docs/_build docs/api/generated *.egg-info
	find mmdsr tools tests -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -rf .pytest_cache .ruff_cache

distclean: clean ## remove the environment too
	rm -rf $(VENV) mmdsr/.mim
