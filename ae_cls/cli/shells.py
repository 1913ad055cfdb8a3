"""The scripts that let a shell ask `ae-cls` what may stand at the cursor.

Where it answers nothing, the shell offers files.
"""

_BASH = """\
_ae_cls() {
    local IFS=$'\\n' line="${COMP_LINE:0:COMP_POINT}"
    local word="${line##* }"
    COMPREPLY=($("$1" -sc query "$line" 2>/dev/null))
    # bash takes = for the end of a word, and wants only what follows it
    case "$COMP_WORDBREAKS$word" in *=*=*) COMPREPLY=("${COMPREPLY[@]#"${word%=*}="}") ;; esac
    case "${COMPREPLY[0]}" in *[=./]) compopt -o nospace 2>/dev/null ;; esac
}
complete -o default -F _ae_cls ae-cls"""

_ZSH = """\
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
compdef _ae_cls ae-cls"""

_FISH = """\
function __ae_cls
    set -l found (ae-cls -sc query (commandline -cp) 2>/dev/null)
    if set -q found[1]
        printf '%s\\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c ae-cls -f -a '(__ae_cls)'"""

SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
"""Shell: what it evaluates."""
