#!/bin/sh
# doxygen makes the pages of the public headers without a warning: documentation.sh FOLDER
set -eu
command -v doxygen >/dev/null || exit 77 # skipped
mkdir -p "$1"
{ cat docs/Doxyfile; echo "OUTPUT_DIRECTORY = $1"; echo "QUIET = YES"; } | doxygen -
