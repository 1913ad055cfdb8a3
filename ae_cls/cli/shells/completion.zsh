# Asks ae-cls what may stand at the cursor; where it answers nothing, files are offered.
_ae_cls() {
    local -a found
    found=(${(f)"$("${words[1]}" -sc query "${words[1,CURRENT-1]} $PREFIX" 2>/dev/null)"})
    if (( $#found )); then
        compadd -S '' -- ${(M)found:#*[=./]}
        compadd -- ${found:#*[=./]}
    else
        compset -P '*='
        _files
    fi
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
compdef _ae_cls ae-cls
