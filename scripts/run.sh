#!/bin/sh
# Installs what is missing, builds, and serves on http://127.0.0.1:8000 with the data in ./data/.
# What follows goes to `confab serve`: scripts/run.sh --port 9000
set -eu
cd -- "$(dirname -- "$0")/.."
scripts/install-deps.sh --run
make --no-print-directory
exec build/confab serve "$@"
