#!/usr/bin/env bash
# The first run on a fresh machine, `npm run demo`: installs, builds, starts a server with its data
# in ./pocketci-demo, sets the first example and runs it. Ctrl-C stops the server.
set -euo pipefail
cd "$(dirname "$0")/.."

PORT="${CI_PORT:-8080}"
DATA=pocketci-demo
NODE=node_modules/.bin/node
POCKETCI="$NODE dist/src/shared/cli/bin.js"

if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  npm ci --no-audit --no-fund
fi
npm run -s build
mkdir -p "$DATA"

# on the host, so that nothing has to be pulled; your own server chooses docker where an engine answers
$POCKETCI server --driver "${CI_DRIVER:-native}" --port "$PORT" --storage-sqlite-path "$DATA/pocketci.db" --secrets-sqlite-path "$DATA/pocketci.db" &
server=$!
trap 'kill -TERM $server 2>/dev/null || true; wait $server || true' EXIT
trap 'exit 130' INT TERM

url="http://127.0.0.1:$PORT"
until $NODE -e 'fetch(process.argv[1]).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))' "$url/ready"; do
  kill -0 $server 2>/dev/null || exit 1
  sleep 0.2
done

export CI_SERVER_URL="$url"
$POCKETCI pipeline set examples/hello-world.ts
$POCKETCI pipeline run --no-workdir hello-world world

printf '\nThe run is on %s/pipelines/ . Press Ctrl-C to stop the server.\n' "$url"
wait $server
