#!/bin/sh
# Every command has a page of the manual, without warnings, with all options of its --help; shells complete commands,
# options, their values and files. completion.sh WENGERT
set -eu
command=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0
tell() { echo "$1"; failed=1; }

# ---- The manual ------------------------------------------------------------------------------------------------------
# With an empty date: mandoc would rather have one.
page_is_fine() {
    if command -v mandoc >/dev/null; then
        mandoc -Tlint -W warning "$1" >"$folder/lint" || true
        grep -v 'missing date' "$folder/lint" && tell "$1: not as mandoc wants it"
    fi
    if command -v groff >/dev/null; then
        groff -man -Tascii -ww -wall "$1" 2>&1 >/dev/null | grep . && tell "$1: not as groff wants it"
    fi
    return 0
}

commands=$("$command" --complete '' | cut -f1)
[ "$(echo "$commands" | wc -l)" -ge 10 ] || tell "few commands: $commands"
for name in '' $commands; do
    "$command" $name --man >"$folder/page.1"
    page_is_fine "$folder/page.1"
    for option in $("$command" $name --help | grep -o -e '^ *\(-., \)\?--[a-z-]*' | grep -o -e '--.*' | sort -u); do
        case $option in --help | --usage | --version) continue ;; esac
        grep -qF -- "$(echo "$option" | sed 's/-/\\-/g')" "$folder/page.1" || tell "wengert $name: no $option in the manual"
        [ -z "$name" ] || "$command" --complete "$name" "$option" | grep -q -e "^$option" ||
            tell "wengert $name: $option is not completed"
    done
done

# ---- Shells ----------------------------------------------------------------------------------------------------------
mkdir "$folder/bin"
ln -s "$command" "$folder/bin/wengert"
PATH=$folder/bin:$PATH
export PATH
root=$(pwd)
touch "$folder/run.safetensors"

# What bash offers behind a line, whose words are cut as bash cuts them.
bash_offers() {
    (cd "$folder" && bash --norc -c '
        source "$0/tools/completion/wengert.bash"
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _wengert 2>/dev/null
        printf "%s " "${COMPREPLY[@]}"' "$root" "$@")
}
offers() {
    expected=$1
    shift
    got=$(bash_offers "$@")
    [ "$got" = "$expected " ] || tell "behind \"$*\" bash offers \"$got\", not \"$expected\""
}
if command -v bash >/dev/null; then
    offers "train" wengert tr
    offers "--optimizer=" wengert train --opt
    offers "adam adamw" wengert train --optimizer = ad
    offers "sgd" wengert train --lr = 3 --optimizer = s
    offers "run.safetensors" wengert train --checkpoint = r
    offers "boundary" wengert plot b
    offers "run.safetensors" wengert plot boundary r
    offers "transformer" wengert graph tr
    offers "" wengert nothing x
fi

# zsh: that the function is without faults, and what it would describe.
if command -v zsh >/dev/null; then
    zsh -n tools/completion/_wengert || tell "zsh does not read its completion"
    zsh -f -c '
        _describe() { print -l -- "${(@P)2}" }
        _files() { print files }
        compset() { }
        CURRENT=3 words=(wengert train --opt)
        source "$0/tools/completion/_wengert"' "$root" | grep -q '^--optimizer=:' || tell "zsh does not offer --optimizer="
fi
exit $failed
