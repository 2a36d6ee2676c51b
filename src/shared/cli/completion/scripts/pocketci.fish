# fish completion of pocketci.
# pocketci completion fish > ~/.config/fish/completions/pocketci.fish
function __pocketci_complete
    set -l words (commandline -opc)
    set -l last (commandline -ct)
    set -l lines ($words[1] __complete -- $words[2..] $last 2>/dev/null)
    if test "$lines[1]" = files
        set -l flag (string match -r '^--[^=]+=' -- $last)
        for path in (complete -C "'' "(string escape -- (string replace -- "$flag" '' "$last")))
            echo "$flag$path"
        end
    else
        set -e lines[1]
        string join \n -- $lines
    end
end
complete -c pocketci -f -a '(__pocketci_complete)'
