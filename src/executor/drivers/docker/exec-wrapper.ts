/**
 * Runs one command of a sandbox, inside its container. An exec whose client has died loses its
 * output and its exit code, so the wrapper keeps both in files beside passing them on. It takes
 * the folder exclusively: a command runs once, however often it is asked for.
 *
 * Arguments: folder, work dir, the command. Needs a POSIX shell, mkdir, mv and tee in the image;
 * with setsid a kill reaches all that the command has started.
 */
export const EXEC_WRAPPER = `
dir=$1 work=$2
shift 2
mkdir -p "\${dir%/*}" && mkdir -m 700 "$dir" || exit 125
: >"$dir/stdout"
: >"$dir/stderr"
supervise() {
  setsid=
  ! command -v setsid >/dev/null || setsid=setsid
  { cd -- "$work" || { mkdir -p -- "$work" && cd -- "$work"; }; } 2>/dev/null || {
    echo "cannot enter the work dir $work" >&2
    echo 125 >"$dir/code"
    return
  }
  $setsid sh -c 'echo $$ >"$0/pid"; exec "$@"' "$dir" "$@"
  echo $? >"$dir/code"
}
exec 3>&1
{
  supervise "$@" 2>&4 3>&- 4>&- | tee -a "$dir/stdout" >&3 3>&- 4>&-
} 4>&1 | tee -a "$dir/stderr" >&2 3>&-
read -r code <"$dir/code"
mv "$dir/code" "$dir/exit"
exit "$code"
`

/** Arguments: folder, signal. */
export const EXEC_KILL = `
read -r pid <"$1/pid" && { kill -"$2" -- "-$pid" || kill -"$2" "$pid"; } 2>/dev/null
`

/** Arguments: folder, bytes of stdout and of stderr that are known. Prints the rest; fails while more may come. */
export const EXEC_READ = `
isOver=1
[ ! -e "$1/exit" ] || isOver=0
tail -c "+$(($2 + 1))" "$1/stdout"
tail -c "+$(($3 + 1))" "$1/stderr" >&2
exit "$isOver"
`

/** Arguments: folder. Ends with the exit code of the command. */
export const EXEC_WAIT = `
until [ -e "$1/exit" ]; do
  sleep 0.1 2>/dev/null || sleep 1
done
read -r code <"$1/exit"
exit "$code"
`
