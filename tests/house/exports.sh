#!/bin/sh
# The shared library exports what the public headers declare, and nothing else: exports.sh libwengert.so
set -eu
declared=$(mktemp)
exported=$(mktemp)
trap 'rm -f "$declared" "$exported"' EXIT

# Declarations may go over several lines: the name is the last word before the first parenthesis.
awk '
    /^WG_API/ { text = ""; reading = 1 }
    reading { text = text " " $0 }
    reading && /[(;]/ {
        sub(/\(.*/, "", text)
        sub(/;.*/, "", text)
        sub(/.*[ *]/, "", text)
        print text
        reading = 0
    }
' graph/wengert.h core/wengert/*.h ops/wengert/*.h graph/wengert/*.h | sort -u >"$declared"
nm -D --defined-only "$1" | awk '$3 ~ /^wg_/ { print $3 }' | sort -u >"$exported"

failed=0
missing=$(comm -23 "$declared" "$exported")
[ -z "$missing" ] || { echo "declared but not there:" $missing; failed=1; }
more=$(comm -13 "$declared" "$exported")
[ -z "$more" ] || { echo "exported but not declared:" $more; failed=1; }
exit $failed
