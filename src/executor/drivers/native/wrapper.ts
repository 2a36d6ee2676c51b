/**
 * The three shell scripts between the executor and a step. Every value reaches them as a positional
 * argument or in the environment, never as code. Each ends by executing what it starts, so that the
 * chain costs three processes, not a dozen:
 *
 *     WRAPPER (executor's user) ─ [unshare ─ BIND_MOUNTS] ─ setsid ─ [setpriv] ─ shim ─ command
 *
 * The wrapper outlives the executor. It alone writes the control folder, which the step's user
 * cannot enter, so that a step can neither forge nor lose its own end.
 *
 * Output goes through pipes to `tee`, not straight to files: a step that opens /dev/stderr anew
 * would truncate a file. `ulimit -f` ends the file at its limit, `wc` goes on counting.
 */

/**
 * Arguments: control folder, 512-byte blocks of output to keep, owner of the pipes (empty: do not
 * change it), `keep` to leave what the command started, then the tools tee, wc and chown, the file
 * with the count of out-of-memory kills, three cgroup folders (each may be empty), the command.
 */
export const WRAPPER = `
control=$1 blocks=$2 owner=$3 leftovers=$4 tee=$5 wc=$6 chown=$7 memory=$8
shift 8
cgroup1=$1 cgroup2=$2 cgroup3=$3
shift 3
umask 077

read_start_time() {
  read -r stat <"/proc/$$/stat"
  # the name of the process may hold anything but ends at the last bracket
  set -- \${stat##*) }
  started=\${20}
}

# sets kills: how often the kernel has killed for want of memory
read_kills() {
  kills=0
  [ -n "$memory" ] || return 0
  while read -r key value; do
    [ "$key" != oom_kill ] || kills=$value
  done <"$memory"
}

join_cgroups() {
  for cgroup in "$cgroup1" "$cgroup2" "$cgroup3"; do
    [ -z "$cgroup" ] || echo 0 >"$cgroup/cgroup.procs"
  done
}

# what the command left running would write into output that counts as complete
kill_leftovers() {
  if [ -s "$control/start" ]; then
    read -r _ leader <"$control/start"
    kill -KILL -- "-$leader"
  fi
  [ -n "$cgroup1" ] || return 0
  round=0
  while [ "$round" -lt 1000 ]; do
    found=
    while read -r pid; do
      found=1
      kill -KILL "$pid"
    done <"$cgroup1/cgroup.procs"
    [ -n "$found" ] || return 0
    round=$((round + 1))
  done
}

# fd 5: the command's input, fd 6: its error output. Not in the background: that would have the
# shell ignore SIGINT and SIGQUIT for it.
supervise() {
  read_kills
  before=$kills
  (
    trap - HUP INT QUIT TERM
    join_cgroups
    # a pipe that another user made cannot be opened again by name, as /dev/stderr
    [ -z "$owner" ] || "$chown" "$owner" /dev/fd/1 /dev/fd/6
    exec "$@" <&5 2>&6 3>>"$control/start" 5<&- 6>&-
  )
  code=$?
  exec >/dev/null 6>&-
  [ "$leftovers" = keep ] || kill_leftovers
  read_kills
  echo "$code $((kills - before))" >"$control/exit"
}

keep() {
  trap '' XFSZ
  ulimit -f "$blocks"
  exec "$tee" -a "$control/$1"
}

read_start_time
read -r boot </proc/sys/kernel/random/boot_id
set -C
echo "$$ $started $boot" >"$control/claim" || exit 0
set +C
trap '' HUP INT QUIT TERM
{
  {
    supervise "$@" 6>&4 4>&- |
      keep stdout 4>&- 5<&- |
      "$wc" -c >"$control/stdout.total" 4>&- 5<&-
  } 5<&0 4>&1 </dev/null |
    keep stderr |
    "$wc" -c >"$control/stderr.total"
}
`

/**
 * Binds volumes over folders of a private mount namespace. Arguments: mount, the number of pairs,
 * target and source of each, the command. It runs as root in folders that steps can change, so it
 * enters a target first and mounts over where it really is, or not at all.
 */
export const BIND_MOUNTS = `
mount=$1 left=$2
shift 2
while [ "$left" -gt 0 ]; do
  cd -P -- "$1" && [ "$PWD" = "$1" ] && "$mount" -n -c --bind -- "$2" . || {
    echo "failed mount $1" >&3
    exit 125
  }
  shift 2
  left=$((left - 1))
done
cd /
exec "$@"
`

/** Names that the scripts use themselves. */
export const RESERVED_ENV = /^(pocketci_|POCKETCI_ENV_)/

/** The variable that carries one `NAME=value` of the step to the shim. */
export function envSlot(index: number): string {
  return `POCKETCI_ENV_${index}`
}

/**
 * The last stage, already the step's user: enters the work dir, sets the environment, finds the
 * command, reports on fd 3. Arguments: work dir, command. The environment comes under neutral names
 * until here: as it is, an LD_PRELOAD or BASH_ENV in it would run code in the processes above, which
 * are root's, and on a command line anyone on the host could read its secrets.
 */
export function shim(envCount: number): string {
  const slots = Array.from({ length: envCount }, (_, index) => envSlot(index))
  return `
cd -- "$1" 2>/dev/null || { mkdir -p -- "$1" && cd -- "$1"; } || {
  echo 'failed workdir' >&3
  exit 125
}
shift
unset PWD OLDPWD SHLVL
${slots.map((slot) => `command export "$${slot}"\nunset ${slot}`).join('\n')}
pocketci_found=
case $1 in
*/*) [ -f "$1" ] && [ -x "$1" ] && pocketci_found=1 ;;
?*)
  pocketci_rest=$PATH:
  while [ -n "$pocketci_rest" ]; do
    pocketci_dir=\${pocketci_rest%%:*}
    pocketci_rest=\${pocketci_rest#*:}
    if [ -f "\${pocketci_dir:-.}/$1" ] && [ -x "\${pocketci_dir:-.}/$1" ]; then
      pocketci_found=1
      break
    fi
  done
  ;;
esac
[ -n "$pocketci_found" ] || {
  echo 'failed command' >&3
  exit 127
}
echo "started $$" >&3
exec 3>&-
exec "$@"
`
}
