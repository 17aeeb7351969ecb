#!/bin/sh
# Sources are listed by name; a file that no meson.build names is not built, and its tests do not run.
set -eu
failed=0
for file in $(find core ops graph tools tests examples -name '*.c' -o -name '*.h' -path '*/wengert/*' | grep -v '^tests/house/'); do
    name=$(basename "$file")
    stem=${name%.[ch]}
    room=${file%%/*}
    grep -qE "'([a-z_]*/)*($name|$stem|${stem#test_}|${stem#fuzz_})'" $(find "$room" -name meson.build) ||
        { echo "$file is in no meson.build"; failed=1; }
done
exit $failed
