# Asks ae-cls what may stand at the cursor; where it answers nothing, files are offered.
function __ae_cls
    set -l found (ae-cls -sc query (commandline -cp) 2>/dev/null)
    if set -q found[1]
        printf '%s\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c ae-cls -f -a '(__ae_cls)'
