#!/bin/sh
# No file over 800 lines, no function over 80: split by meaning before that. No line over 120 columns. A function starts at a line in the first
# column that is followed by a { there, and ends with the } in the first column.
set -eu

sources=$(find core ops graph tools tests examples docs -name '*.[ch]')
if LC_ALL=C.UTF-8 grep -nE '^.{121,}' $sources; then
    echo 'over 120 columns' >&2
    exit 1
fi

awk '
    FNR == 1 { start = 0 }
    FNR == 801 { print FILENAME ": over 800 lines"; failed = 1 }
    /^\{/ { start = FNR }
    /^\}/ {
        if (start && FNR - start - 1 > 80) {
            print FILENAME ":" start ": a function of " FNR - start - 1 " lines"
            failed = 1
        }
        start = 0
    }
    END { exit failed }
' $sources
