#!/bin/sh
# One version: the build's, the header's, and the newest of the change log. version.sh 0.1.0
set -eu
grep -q "^#define WENGERT_VERSION \"$1\"\$" graph/wengert.h || { echo "graph/wengert.h has another version than $1"; exit 1; }
grep -m 1 '^## ' CHANGELOG.md | grep -q "^## $1" || { echo "CHANGELOG.md does not begin with $1"; exit 1; }
