#!/bin/sh
# Prints the files of FOLDER that match PATTERN, sorted, one a line, with PREFIX before their path
# inside the folder. src/main.c is left out: the build names it itself.
#     scripts/sources.sh FOLDER PATTERN [PREFIX]
set -eu
cd -- "$(dirname -- "$0")/.."
[ -d "$1" ] || exit 0
find "$1" -type f -name "$2" ! -path src/main.c -printf "${3-}%P\n" | LC_ALL=C sort
