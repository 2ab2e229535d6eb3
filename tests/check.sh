#!/bin/sh
# Installs what it needs into .venv, then runs lint, types, layers and tests, cheapest first; fails if any of them fails.
set -eu
cd "$(dirname "$0")/.."
[ -x .venv/bin/python ] || python3 -m venv .venv
.venv/bin/python -m pip install -q -U pip
.venv/bin/python -m pip install -q -e . --group dev
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
.venv/bin/lint-imports
.venv/bin/python -m pytest -n 2 --dist loadgroup "$@"
# What holds an event loop once more on uvloop, as with the extra `fast`; tests in virtual time have a loop of their own.
.venv/bin/python -m pytest -q --loop uvloop tests/controller tests/manager tests/cache tests/flows/test_embedded_cluster.py
# The kopf adapter once more with the older of the supported minors.
.venv/bin/python -m pip install -q --upgrade --no-deps --target .venv/kopf-1.44 'kopf==1.44.*'
PYTHONPATH=.venv/kopf-1.44 .venv/bin/python -m pytest -q tests/adapters
