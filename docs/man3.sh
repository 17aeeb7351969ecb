#!/bin/sh
# wengert.3: the chapters of the library, which are its headers, in the order of wengert.h. man3.sh SOURCE VERSION
set -eu
cd "$1"

# The title of a header is behind "Wengert:" in its first line; the paragraph behind it says what it is for.
chapter() {
    awk -v name="$2" '
        NR == 1 { sub(/^\/\* Wengert: /, ""); sub(/\.$/, ""); print ".TP\n.B <" name ">"; title = $0; next }
        NR == 2 { next }
        /\*\// || /^ \*$/ { last = 1 }
        {
            gsub(/^ \* ?|\*\/$/, "")
            if ($0 ~ /[^ ]/ && !done) text = text " " $0
            if (last) done = 1
        }
        END {
            sub(/^ */, "", text)
            end = match(text, /[.:]( |$)/)
            if (end) text = substr(text, 1, end)
            sub(/:$/, ".", text)
            gsub(/\\/, "\\e", text)
            gsub(/-/, "\\-", text)
            gsub(/-/, "\\-", title)
            print toupper(substr(title, 1, 1)) substr(title, 2) "."
            print text
        }' "$1"
}

cat <<END
.TH WENGERT 3 "" "wengert $2" "Library Functions Manual"
.SH NAME
wengert \\- reverse\\-mode automatic differentiation in C
.SH SYNOPSIS
.B #include <wengert.h>
.PP
cc program.c \$(pkg\\-config \\-\\-cflags \\-\\-libs wengert)
.SH DESCRIPTION
Tensors record operations onto a tape; one backward traversal applies each
operation's own chain rule.
The headers are the manual: each is a chapter, and says of every function what
it does, with which shapes and options, and what happens at the edge.
.SH CHAPTERS
END
sed -n 's|^#include "\(wengert/[a-z]*\.h\)"|\1|p' graph/wengert.h | while read -r header; do
    for room in core ops graph; do
        [ -f "$room/$header" ] && chapter "$room/$header" "$header"
    done
    true
done
cat <<END
.SH "SEE ALSO"
.BR wengert (1)
END
