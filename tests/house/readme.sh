#!/bin/sh
# The README's program is the file examples/first.c to the letter, and what it says it prints is what it prints.
# readme.sh PROGRAM PROGRAM.c
set -eu
program=$(realpath "$1")
source=$2
folder=$(mktemp -d) # where the program puts its picture
shown=$folder/shown
trap 'rm -rf "$folder"' EXIT

block() { awk -v open="^\`\`\`$1\$" '$0 ~ open { on = 1; next } /^```/ { if (on) exit } on' README.md; }

block c >"$shown"
# The file may open with a comment that the README leaves out.
awk '/^#include/ { on = 1 } on' "$source" | diff -u "$shown" - || { echo "README.md and $source differ"; exit 1; }
block text >"$shown"
(cd "$folder" && "$program") | diff -u "$shown" - || { echo "the README shows another output"; exit 1; }
