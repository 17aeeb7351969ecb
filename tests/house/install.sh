#!/bin/sh
# What is installed can be used: the README's program is compiled by pkg-config's flags alone, against the shared library
# and the static one, and the command runs. install.sh BUILD PROGRAM.c
set -eu
build=$1
program=$2
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

meson install -C "$build" --no-rebuild --destdir "$place" >/dev/null
prefix=$place$(meson introspect "$build" --buildoptions | tr '{' '\n' | sed -n 's/.*"name": "prefix", "value": "\([^"]*\)".*/\1/p')
PKG_CONFIG_PATH=$(dirname "$(find "$place" -name wengert.pc)")
export PKG_CONFIG_PATH
flags() { pkg-config --define-variable=prefix="$prefix" "$@" wengert; }
libdir=$(flags --variable=libdir)

[ "$(flags --modversion)" ] && [ -x "$prefix/bin/wengert" ]
cc=${CC:-cc}
$cc -std=c11 "$program" -o "$place/shared" $(flags --cflags --libs)
LD_LIBRARY_PATH=$libdir ldd "$place/shared" | grep -q "$libdir/libwengert.so.0"
# Not -lgfortran: Debian's openblas.pc asks for it, but only a static OpenBLAS needs it.
$cc -std=c11 "$program" -o "$place/static" $(flags --cflags) "$libdir/libwengert.a" \
    $(flags --static --libs | tr ' ' '\n' | grep -vxe -lwengert -e -lgfortran)
"$prefix/bin/wengert" --help >/dev/null
for page in wengert.1 wengert-train.1 wengert-plot.1 wengert.3; do
    find "$prefix" -name "$page" | grep -q . || { echo "$page is not installed"; exit 1; }
done
find "$prefix" -path '*bash-completion/completions/wengert' | grep -q . || { echo "no completion for bash"; exit 1; }
