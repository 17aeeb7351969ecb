#!/bin/sh
# An operation is one entry: named in the contract unless it is hidden, its function declared in a public header, and no
# code elsewhere that tells operations apart.
set -eu
failed=0
tell() { echo "$1"; failed=1; }

# "name hidden" or "name public" for each entry.
entries=$(awk '
    /^WG_OP\([a-z0-9_]+\)/ { name = $0; sub(/^WG_OP\(/, "", name); sub(/\).*/, "", name); kind = "public" }
    name != "" && /[.]hidden = true/ { kind = "hidden" }
    name != "" && /};/ { print name, kind; name = "" }
' ops/*.c)
names=$(echo "$entries" | awk '$2 == "public" { print $1 }')

for name in $names; do
    grep -q "^[A-M] $name\$" tests/house/contract.txt || tell "$name: not in the contract (tests/house/contract.txt)"
    grep -qE "^WG_API .*\bwg_$name\(" ops/wengert/*.h || tell "$name: no public header declares wg_$name"
done
[ -z "$(echo "$names" | sort | uniq -d)" ] || tell "two entries of one name: $(echo "$names" | sort | uniq -d)"

# Comparing names, or addresses of entries, is a switch over operations in disguise.
found=$(grep -nE 'switch *\([^)]*(->op\b|\bop->)|case WG_OP_|strcmp\([^)]*op->name, *"|strcmp\("[^)]*op->name' \
    core/*.c graph/*.c tools/*.c ops/*.c 2>/dev/null || true)
[ -z "$found" ] || tell "tells operations apart: $found"

echo "$(echo "$names" | grep -c .) of $(grep -c '^[A-KM] ' tests/house/contract.txt) operations of the contract"
exit $failed
