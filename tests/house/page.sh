#!/bin/sh
# docs/operations.md is the page that the command writes: page.sh WENGERT
set -eu
"$1" ops --markdown | diff -u docs/operations.md - ||
    { echo "docs/operations.md is old: wengert ops --markdown >docs/operations.md"; exit 1; }
