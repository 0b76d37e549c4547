# make demo: install and run the main job.  make test: install and run the tests.
# Both make .venv themselves; PYTHON=/path/to/python3.13 chooses another Python.
.POSIX:
.SUFFIXES:
BIN = .venv/bin
PYTHON ?=
DEMO = demo

.PHONY: demo test look lint docs clean install install-dev

demo: .venv/.installed
	@rm -rf $(DEMO)
	@$(BIN)/pdsim example lake_zone $(DEMO)/lake_zone --trials 20 --case-correlation 0.1
	@$(BIN)/pdsim analyse $(DEMO)/lake_zone/study.toml --out $(DEMO)/lake_zone/results
	@$(BIN)/pdsim example surgical $(DEMO)/surgical
	@$(BIN)/pdsim analyse $(DEMO)/surgical/study.toml --out $(DEMO)/surgical/results
	@echo
	@echo "The reports lie in:"
	@echo "  $(DEMO)/lake_zone/results/report.html   ten hospitals before and after (published table)"
	@echo "  $(DEMO)/surgical/results/report.html    twelve hospitals, one period (published counts)"

test: .venv/.installed-dev
	@$(BIN)/python -m pytest -n 2 --dist worksteal --durations 15

# the reports in Chromium, LibreOffice and axe; the pictures lie in looks
look: .venv/.installed-look
	@$(BIN)/python -m pytest tools/look

lint: .venv/.installed-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

docs: .venv/.installed-docs
	@$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html
	@echo "The documentation lies in docs/_build/html/index.html"

install: .venv/.installed
install-dev: .venv/.installed-dev

.venv/bin/python:
	@python=$$(PYTHON="$(PYTHON)" sh tools/find-python) && \
	    echo "Making .venv with $$python" && "$$python" -m venv .venv

.venv/.installed: .venv/bin/python pyproject.toml
	@echo "Installing pdsim and what it needs into .venv (a minute or two the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/.installed-dev: .venv/.installed
	@echo "Installing the tools of the tests into .venv"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

.venv/.installed-look: .venv/.installed
	@echo "Installing the tools of the looks into .venv"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[look]'
	@touch $@

.venv/.installed-docs: .venv/.installed
	@echo "Installing the tools of the documentation into .venv"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $@

clean:
	rm -rf .venv $(DEMO) docs/_build build dist
