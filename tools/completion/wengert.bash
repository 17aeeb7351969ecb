# bash completion of `wengert': the command itself says what may follow, from the tables it reads its arguments by.
_wengert()
{
    local word=${COMP_WORDS[COMP_CWORD]} line lines=() IFS=$'\n'
    [ "$word" = "=" ] && word=
    COMPREPLY=()
    lines=($("${COMP_WORDS[0]}" --complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
    for line in "${lines[@]}"; do
        case $line in
        :files) COMPREPLY+=($(compgen -f -- "$word")) && compopt -o filenames 2>/dev/null ;;
        "$word"*) COMPREPLY+=("${line%%$'\t'*}") ;;
        esac
    done
    case ${COMPREPLY[0]} in *=) compopt -o nospace 2>/dev/null ;; esac
}
complete -F _wengert wengert
