# Asks ae-cls what may stand at the cursor; where it answers nothing, files are offered.
_ae_cls() {
    local IFS=$'\n' line="${COMP_LINE:0:COMP_POINT}"
    local word="${line##* }"
    COMPREPLY=($("$1" -sc query "$line" 2>/dev/null))
    # bash takes = for the end of a word, and wants only what follows it
    case "$COMP_WORDBREAKS$word" in *=*=*) COMPREPLY=("${COMPREPLY[@]#"${word%=*}="}") ;; esac
    case "${COMPREPLY[0]}" in *[=./]) compopt -o nospace 2>/dev/null ;; esac
}
complete -o default -F _ae_cls ae-cls
