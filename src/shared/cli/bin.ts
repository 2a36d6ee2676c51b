#!/usr/bin/env node
// This file also runs on an older Node: it imports nothing before it knows that it may.
if (Number.parseInt(process.versions.node, 10) >= 24) {
  const { main } = await import('./main.js')
  await main()
} else {
  await runOnPinnedNode()
}

/** The same command line on the Node 24 that was installed with this package, if there is one. */
async function runOnPinnedNode(): Promise<void> {
  const { fileURLToPath } = await import('node:url')
  const node = await findPinnedNode()
  if (!node) {
    process.stderr.write(
      `pocketci: error: pocketci needs Node.js 24 or newer, and this is ${process.version}: install it, or add the npm package "node" beside pocketci\n`,
    )
    process.exitCode = 1
    return
  }
  const args = [...process.execArgv, fileURLToPath(import.meta.url), ...process.argv.slice(2)]
  // the arguments may hold secrets, and ps shows those of this process too
  process.title = 'pocketci'
  await passOn(node, args)
}

async function findPinnedNode(): Promise<string | undefined> {
  const { existsSync, readFileSync } = await import('node:fs')
  const { createRequire } = await import('node:module')
  const path = await import('node:path')
  const require = createRequire(import.meta.url)
  const platform = `${process.platform}-${process.arch}`
  for (const name of ['node', `node-${platform}`, `node-bin-${platform}`]) {
    const manifest = resolveOrUndefined(require, `${name}/package.json`)
    if (!manifest) continue
    const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version?: string }
    const file = path.join(
      path.dirname(manifest),
      'bin',
      process.platform === 'win32' ? 'node.exe' : 'node',
    )
    if (Number.parseInt(version ?? '', 10) >= 24 && existsSync(file)) return file
  }
  return undefined
}

function resolveOrUndefined(require: NodeJS.Require, id: string): string | undefined {
  try {
    return require.resolve(id)
  } catch {
    return undefined // not installed
  }
}

/** Becomes the other process as far as that goes: its output, the signals, its end. */
async function passOn(command: string, args: string[]): Promise<void> {
  const { spawn } = await import('node:child_process')
  // the channel says nothing: its end tells the other process that this one was killed
  const child = spawn(command, args, { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] })
  const signals = ['SIGINT', 'SIGTERM'] as const
  const forward = (signal: NodeJS.Signals): void => void child.kill(signal)
  for (const signal of signals) process.on(signal, forward)
  await new Promise<void>((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code, signal) => {
      for (const name of signals) process.off(name, forward)
      if (signal) process.kill(process.pid, signal)
      else process.exitCode = code ?? 1
      resolve()
    })
  })
}
