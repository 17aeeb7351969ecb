#!/bin/sh
# Every public function is told of: a comment stands before the block of lines that declares it, or behind it on its line.
# The section on how short calls are made is for the reader who wonders, and free of this.
set -eu

awk '
    FNR == 1 { told = 0; comment = 0; short = 0 }
    /How short calls are made|How entries are written/ { short = 1 }
    /^$/ { told = 0 }
    /^[ ]*\/\*/ { comment = 1 }
    comment { told = 1 }
    /^WG_API/ && !short && !told && !/\/\*/ { print FILENAME ":" FNR ": nothing says what this does: " $0; failed = 1 }
    /\*\// { comment = 0 }
    END { exit failed }
' graph/wengert.h $(ls core/wengert/*.h ops/wengert/*.h graph/wengert/*.h 2>/dev/null)
