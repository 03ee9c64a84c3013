#!/bin/sh
# Installs what is missing, builds and runs every test. The last line is `N passed, N failed`.
# With names of stages only those: scripts/test.sh tree unit (scripts/run-tests.py --list).
set -eu
cd -- "$(dirname -- "$0")/.."
scripts/install-deps.sh --run --test
exec scripts/run-tests.py "$@"
