#!/bin/sh
# The pictures of docs/ are those that this build draws: the same nodes, edges and words. Not compared: where things stand,
# which the fonts decide; values, which the back end of products does; source lines in tooltips. pictures.sh BUILD
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Ids, and texts with numbers left out that stand alone, as a range, behind an equals sign or a dot.
words() {
    grep -o -e 'id="[^"]*"' -e '<text [^>]*>[^<]*</text>' "$1" |
        sed -e 's/<text [^>]*>//' -e 's|</text>||' -e 's/= .*/=/' -e 's/ · [0-9.e+-]* *$//' -e '/^[0-9.e+-]*–[0-9.e+-]*$/d' -e '/^[ 0-9.e+-]*$/d' -e '/gradient 2-norm/d' | sort
}

# Of a chart of a training run, whose last digits are another machine's: the words alone.
chart_words() { words "$1" | sed 's/[-−]*[0-9][0-9.,e+-]*/N/g' | sort -u; }

docs/pictures/make "$1" "$folder"
failed=0
for picture in "$folder"/*.svg; do
    name=$(basename "$picture")
    case $name in
    boundary.svg | curve.svg | histogram.svg) told=chart_words ;;
    *) told=words ;;
    esac
    $told "$picture" >"$folder/now"
    $told "docs/pictures/$name" >"$folder/then"
    diff -u "$folder/then" "$folder/now" || { echo "docs/pictures/$name is old: docs/pictures/make BUILD"; failed=1; }
done
for picture in docs/pictures/*.svg; do
    [ -f "$folder/$(basename "$picture")" ] || { echo "$picture is drawn by nothing"; failed=1; }
done
for picture in $(grep -oh 'pictures/[a-z_]*[.]svg' docs/*.md README.md | sort -u); do
    [ -f "docs/$picture" ] || { echo "docs/$picture is shown but is not there"; failed=1; }
done
# What the diagnosis says is quoted.
"$1/docs/diagnosis" "$folder/diagnosis.svg" | grep . >"$folder/said"
while IFS= read -r line; do
    grep -qxF -- "    $line" docs/gallery.md || { echo "docs/gallery.md does not say \"$line\""; failed=1; }
done <"$folder/said"
exit $failed
