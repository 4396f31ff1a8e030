# make run    the dashboard on the embedded cluster, with data flowing
# make lab    the same on three real Apache Kafka nodes (Java 17+ and Maven)
# make test   every test and check
PORT ?= 8501
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
LAB_HOME ?= data/lab

.PHONY: run lab test test-setup lint bench screenshots clean help
.DEFAULT_GOAL := help

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

run: $(VENV)/.run
	@$(PY) -m dashboard.port $(PORT)
	@echo "Ackboard: http://127.0.0.1:$(PORT) (Ctrl-C ends it)"
	@exec $(VENV)/bin/streamlit run app.py --server.port $(PORT)

lab: $(VENV)/.run
	@$(PY) -m dashboard.port $(PORT)
	@$(PY) -m producer_agent lab up --home $(LAB_HOME)
	@echo "Ackboard on the lab: http://127.0.0.1:$(PORT) (Ctrl-C ends it and the lab)"
	@trap '$(PY) -m producer_agent lab down --home $(LAB_HOME)' EXIT; trap 'true' INT TERM; \
	ACKBOARD_CLUSTER_KIND=lab ACKBOARD_LAB_HOME=$(LAB_HOME) ACKBOARD_DB=$${ACKBOARD_DB:-data/lab.db} \
	KAFKA_BOOTSTRAP_SERVERS=$$($(PY) -m producer_agent lab status --home $(LAB_HOME) --bootstrap) \
	$(VENV)/bin/streamlit run app.py --server.port $(PORT)

test: test-setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(PY) -m pytest

test-setup: $(VENV)/.dev
	@$(PY) -m tests.setup

lint: $(VENV)/.dev
	$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check . && $(VENV)/bin/mypy && $(VENV)/bin/lint-imports

screenshots: test-setup
	$(PY) -m docs.screenshots

bench: test-setup
	$(PY) -m bench.record
	$(PY) -m bench.pages

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Ackboard needs Python 3.11 or newer: make run PYTHON=python3.11"; exit 1; }
	@echo "Preparing .venv (once)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements.txt $(VENV)/bin/python
	@$(PY) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt requirements.txt $(VENV)/bin/python
	@$(PY) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(VENV)/.run

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
