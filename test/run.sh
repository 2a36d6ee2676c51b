#!/usr/bin/env bash
# All checks and all tests, from a fresh clone: `npm test`. Ends with a line "N passed, N failed".
# `npm test -- unit integration` runs some of the stages; see STAGES.
set -uo pipefail
cd "$(dirname "$0")/.."

STAGES=("$@")
[ ${#STAGES[@]} -gt 0 ] || STAGES=(format lint build typings unit integration e2e faults browser leftovers)

passed=0
failed=0
before=

main() {
  install_packages || finish
  install_tools || finish
  before=$(list_ours)
  for stage in "${STAGES[@]}"; do
    printf '\n== %s\n' "$stage"
    "stage_$stage"
  done
  finish
}

# npm ci when the lock file is newer than what is installed
install_packages() {
  if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    count "npm ci" npm ci --no-audit --no-fund
    return
  fi
  # a lock file that a fresh clone could not install from
  count "lock file" npm ci --dry-run --no-audit --no-fund
}

# Debian packages that tests need: strace shows the order of system calls, chromium opens pages, zsh and
# fish complete command lines, the Docker engine runs steps in images that are made of busybox, also at
# the other end of SSH
install_tools() {
  local missing=()
  command -v strace >/dev/null || missing+=(strace)
  command -v chromium >/dev/null || missing+=(chromium)
  command -v zsh >/dev/null || missing+=(zsh)
  command -v fish >/dev/null || missing+=(fish)
  command -v dockerd >/dev/null || missing+=(docker.io)
  command -v iptables >/dev/null || missing+=(iptables)
  ldd /bin/busybox 2>&1 | grep -qE 'not a dynamic|statically' || missing+=(busybox-static)
  [ -x /usr/sbin/sshd ] || missing+=(openssh-server)
  command -v docker-registry >/dev/null || missing+=(docker-registry)
  [ ${#missing[@]} -eq 0 ] && return 0
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "tests need ${missing[*]}: install them with your package manager"
    failed=$((failed + 1))
    return 1
  fi
  count "apt-get update" apt-get update -qq
  count "apt-get install ${missing[*]}" \
    env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

stage_format() { count "formatted" npm run -s check:format; }
stage_lint() { count "lint" npm run -s lint; }
stage_build() { count "build" npm run -s build; }
stage_typings() { count "typings" npm run -s check:typings; }
stage_unit() { node_tests 'dist/test/shared/**/*.test.js'; }
stage_integration() {
  node_tests 'dist/test/api/**/*.test.js'
  node_tests 'dist/test/executor/**/*.test.js'
}
stage_e2e() { node_tests 'dist/test/e2e/**/*.test.js' --test-concurrency=1; }
stage_faults() { node_tests 'dist/test/faults/**/*.test.js' --test-concurrency=1; }
stage_browser() { node_tests 'dist/test/browser/**/*.test.js' --test-concurrency=1; }

# After all tests nothing of ours is left: no container, volume, network or process.
stage_leftovers() {
  count "nothing is left in the Docker engine and among the processes" nothing_new
}

# What other servers of this machine have is theirs.
nothing_new() {
  local new
  new=$(comm -13 <(printf '%s\n' "$before") <(list_ours))
  [ -z "$new" ] || { printf 'left behind:\n%s\n' "$new"; return 1; }
}

list_ours() {
  local filter=label=orchestra.namespace
  {
    pgrep -f '^pocketci (server|api|executor)' | sed 's/^/process /'
    docker ps -aq --filter "$filter" | sed 's/^/container /'
    docker volume ls -q --filter "$filter" | sed 's/^/volume /'
    docker network ls -q --filter "$filter" | sed 's/^/network /'
  } 2>/dev/null | sort
}

# One check: its output is shown when it fails, and it returns its outcome.
count() {
  local name=$1 log code=0
  shift
  log=$(mktemp)
  "$@" >"$log" 2>&1 || code=$?
  if [ "$code" -eq 0 ]; then
    passed=$((passed + 1))
    echo "ok   $name"
  else
    failed=$((failed + 1))
    cat "$log"
    echo "FAIL $name"
  fi
  rm -f "$log"
  return "$code"
}

# A set of test files; its counts are read from the runner's summary, and a run without one has failed.
node_tests() {
  local pattern=$1 log pass fail code
  shift
  log=$(mktemp)
  node_modules/.bin/node --enable-source-maps --test --test-concurrency=2 --test-reporter=spec "$@" "$pattern" 2>&1 | tee "$log"
  code=${PIPESTATUS[0]}
  pass=$(sed -n 's/^ℹ pass \([0-9]*\)$/\1/p' "$log" | tail -n 1)
  fail=$(sed -n 's/^ℹ fail \([0-9]*\)$/\1/p' "$log" | tail -n 1)
  rm -f "$log"
  if [ -z "$pass" ] || [ "$pass" -eq 0 ]; then
    echo "FAIL no test ran for $pattern"
    failed=$((failed + 1))
    return
  fi
  passed=$((passed + pass))
  failed=$((failed + ${fail:-0}))
  # cancelled tests and crashed files count as no test
  if [ "$code" -ne 0 ] && [ "${fail:-0}" -eq 0 ]; then failed=$((failed + 1)); fi
}

finish() {
  printf '\n%d passed, %d failed\n' "$passed" "$failed"
  [ "$failed" -eq 0 ] || exit 1
  exit 0
}

main
