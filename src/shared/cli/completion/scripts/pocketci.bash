# bash completion of pocketci. In ~/.bashrc: source <(pocketci completion bash)
# Works in bash 3.2 too, as macOS has it. Bash splits words at = and : as well: those that have no
# space between them are put together again, and of a candidate only what stands behind is given.
_pocketci() {
  local line=${COMP_LINE:0:COMP_POINT} words=() word gap at last breaks='' prefix='' kind='' reply
  for ((at = 0; at <= COMP_CWORD; at++)); do
    word=${COMP_WORDS[at]}
    gap=${line%%[![:space:]]*}
    line=${line#"$gap"}
    ((at == COMP_CWORD)) && word=$line
    line=${line#"$word"}
    if [[ -z $gap && $at -gt 0 ]]; then
      words[${#words[@]} - 1]+=$word
    else
      words+=("$word")
    fi
  done
  last=${words[${#words[@]} - 1]}
  [[ $COMP_WORDBREAKS == *:* ]] && breaks+=:
  [[ $COMP_WORDBREAKS == *=* ]] && breaks+==
  [[ -n $breaks ]] && prefix=${last%"${last##*[$breaks]}"}
  COMPREPLY=()
  while IFS= read -r reply; do
    if [[ -z $kind ]]; then
      kind=$reply
      continue
    fi
    reply=${reply%%$'\t'*}
    printf -v reply %q "${reply#"$prefix"}"
    COMPREPLY+=("$reply")
  done < <("${words[0]/#\~/$HOME}" __complete -- "${words[@]:1}" 2>/dev/null)
  if [[ $kind == files ]]; then compopt -o default 2>/dev/null; fi
}
complete -F _pocketci pocketci
