#!/bin/sh
# Installs what it needs into .venv, then runs lint, types, layers, the search for dead code and tests, cheapest first; fails if any of them fails.
set -eu
cd "$(dirname "$0")/.."
[ -x .venv/bin/python ] || python3 -m venv .venv
.venv/bin/python -m pip install -q -U pip
.venv/bin/python -m pip install -q -e . --group dev
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
.venv/bin/lint-imports
.venv/bin/vulture
.venv/bin/python -m pytest -n 2 --dist loadgroup "$@"
# What holds an event loop once more on uvloop, as with the extra `fast`; tests in virtual time have a loop of their own.
.venv/bin/python -m pytest -q -n 2 --dist loadgroup --loop uvloop tests/controller tests/manager tests/cache tests/flows/test_embedded_cluster.py
# The kopf adapter once more with the older of the supported minors.
.venv/bin/python -m pip install -q --upgrade --no-deps --target .venv/kopf-1.44 'kopf==1.44.*'
PYTHONPATH=.venv/kopf-1.44 .venv/bin/python -m pytest -q -n 2 --dist loadgroup tests/adapters
# What depends most on the interpreter (TLS, event loop, typing), once more with each other Python that the classifiers name.
main=$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
tested="$main (everything)"
absent=""
for version in $(sed -n 's/.*Python :: \(3\.[0-9]*\)".*/\1/p' pyproject.toml); do
    [ "$version" = "$main" ] && continue
    python=""
    for candidate in "python$version" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$version".*/bin/python; do
        # A shim of pyenv is on the PATH and does not run unless its version has been chosen.
        if "$candidate" -c "" 2>/dev/null; then python="$candidate" && break; fi
    done
    if [ -z "$python" ]; then
        absent="$absent $version"
        continue
    fi
    other=".venv/python-$version"
    [ -x "$other/bin/python" ] || "$python" -m venv "$other"
    "$other/bin/python" -m pip install -q -U pip
    "$other/bin/python" -m pip install -q -e . --group test
    "$other/bin/python" -m pytest -q -n 2 --dist loadgroup -p no:cacheprovider \
        tests/client tests/cache tests/controller tests/http tests/apiserver/test_secure_server.py tests/apiserver/test_core_writes.py \
        tests/testing/test_virtual_clock.py tests/test_loopthread.py
    tested="$tested, $version (client, cache, controller, server)"
done
echo "tested with Python $tested; not installed:${absent:- none}"
