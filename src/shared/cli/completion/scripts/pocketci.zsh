#compdef pocketci
# zsh completion of pocketci. In ~/.zshrc: source <(pocketci completion zsh)
_pocketci() {
  local line kind
  local -a before lines candidates
  ((CURRENT > 2)) && before=("${(@Q)words[2,CURRENT-1]}")
  lines=("${(@f)$("${words[1]/#\~/$HOME}" __complete -- "${before[@]}" "$PREFIX" 2>/dev/null)}")
  kind=$lines[1]
  if [[ $kind == files ]]; then
    [[ $PREFIX == --*=* ]] && compset -P '*='
    _files
    return
  fi
  for line in "${(@)lines[2,-1]}"; do
    [[ -z $line ]] && continue
    if [[ $line == *$'\t'* ]]; then
      candidates+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
    else
      candidates+=("${line//:/\\:}")
    fi
  done
  _describe pocketci candidates
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
if [[ $funcstack[1] == _pocketci ]]; then _pocketci "$@"; else compdef _pocketci pocketci; fi
