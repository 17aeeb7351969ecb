#!/bin/sh
# A user's file compiles without a warning, as C11 and as C++, with each compiler that is there: compilers.sh FOLDER...
set -eu
here=$(dirname "$0")
includes="-Icore -Iops -Igraph"
failed=0

for cc in gcc clang; do
    command -v $cc >/dev/null || continue
    $cc -std=c11 -Wall -Wextra -Wshadow -pedantic -Werror $includes -fsyntax-only "$here/user.c" || failed=1
done
for cxx in g++ clang++; do
    command -v $cxx >/dev/null || continue
    for standard in c++11 c++17; do
        $cxx -std=$standard -Wall -Wextra -Wshadow -pedantic -Werror $includes -fsyntax-only "$here/user.cpp" || failed=1
    done
done
exit $failed
