import { dirname } from 'node:path'
import type { Config } from '../../config/config.js'
import type { FlagTable } from '../../config/flag.js'
import { boolean } from '../../config/kinds.js'
import { loadConfig } from '../../config/load-config.js'
import { readFlags } from '../../config/read-flags.js'
import { SERVER_FLAGS } from '../../config/server-flags.js'
import { errorMessage } from '../../errors.js'
import { isLoopback } from '../../loopback.js'
import type { CliContext, CommandSpec } from '../command-spec.js'
import { checkDocker } from '../doctor/check-docker.js'
import { checkDisks, checkOpenFiles, checkWatch } from '../doctor/check-machine.js'
import { checkNative } from '../doctor/check-native.js'
import { checkPort } from '../doctor/check-port.js'
import { checkRuntime } from '../doctor/check-runtime.js'
import { checkStorage } from '../doctor/check-storage.js'
import { fail, type Finding } from '../doctor/finding.js'
import { createPaint, OUTPUT_FLAGS, type Paint, type Tone } from '../output-flags.js'
import { printableLines } from '../printable.js'

const OWN_FLAGS = {
  full: {
    kind: boolean,
    default: 'false',
    doc: 'read databases of any size through, with their indexes; a minute for a few gigabytes',
    group: 'Doctor',
  },
  ...OUTPUT_FLAGS,
} as const satisfies FlagTable

const FLAGS = { ...SERVER_FLAGS, ...OWN_FLAGS } as const satisfies FlagTable

type Check = () => Finding[] | Promise<Finding[]>

export const doctorCommand: CommandSpec = {
  name: 'doctor',
  summary: 'look at what a server needs of this machine, and say what to do',
  description:
    'Looks at Node.js, the Docker engine, the databases, the port, the disk and the limits that a server of the same flags would have, and says what to do about what is wrong. It changes nothing and may run beside a server. Exits with 1 when something fails.',
  flags: FLAGS,
  examples: [
    'pocketci doctor',
    'pocketci doctor --storage-sqlite-path /var/lib/pocketci/pocketci.db --port 9000',
    'pocketci doctor --json | jq -r \'.[] | select(.status != "ok") | .advice\'',
  ],
  async run({ context, given }) {
    const flags = readFlags(OWN_FLAGS, given, context.env)
    const config = loadConfig(given, context.env)
    const show = flags.json ? undefined : createPrinter(context, createPaint(context, flags.color))
    const findings: Finding[] = []
    for (const [name, check] of listChecks(config, flags.full))
      for (const finding of await runCheck(name, check)) {
        findings.push(finding)
        show?.(finding)
      }
    if (flags.json) context.stdout.write(`${JSON.stringify(findings, null, 2)}\n`)
    return findings.some(({ status }) => status === 'fail') ? 1 : 0
  },
}

function listChecks(config: Config, isFull: boolean): [string, Check][] {
  const { drivers, storage, secrets, http } = config
  const folder = dirname(storage.path)
  return [
    ['node', checkRuntime],
    [
      'database',
      () =>
        checkStorage({
          storage: storage.path,
          secrets: secrets.path,
          hasPassphrase: secrets.passphrase !== undefined,
          isFull,
        }),
    ],
    ['port', () => checkPort(http)],
    ['disk', () => checkDisks([folder, dirname(secrets.path), drivers.nativeRoot])],
    ['open files', () => checkOpenFiles()],
    ['file watches', () => checkWatch(folder)],
    [
      'docker',
      () =>
        checkDocker({
          ...drivers.docker,
          ...roleOf('docker', config),
        }),
    ],
    [
      'native',
      () =>
        checkNative({
          root: drivers.nativeRoot,
          user: drivers.nativeUser,
          ...roleOf('native', config),
        }),
    ],
  ]
}

/** Needed is a driver when runs would have no other one. */
function roleOf(
  name: 'docker' | 'native',
  { drivers, http }: Config,
): { isAllowed: boolean; isNeeded: boolean } {
  const { allowed, default: byDefault } = drivers
  const isAllowed = allowed.includes('*') || allowed.includes(name)
  const isOnly = isAllowed && !allowed.includes('*') && allowed.length === 1
  // where strangers reach the server, native is chosen by name alone
  const isChosen = byDefault === '' && name === 'docker' && !isLoopback(http.host)
  return { isAllowed, isNeeded: byDefault === name || isOnly || isChosen }
}

/** What a check did not foresee is a finding as well: the others still say theirs. */
async function runCheck(name: string, check: Check): Promise<Finding[]> {
  try {
    return await check()
  } catch (error) {
    return [fail(name, errorMessage(error), 'this was not foreseen: please report it')]
  }
}

const TONES: Record<Finding['status'], Tone> = { ok: 'good', warn: 'busy', fail: 'bad' }
const MARGIN = 22

function createPrinter({ stdout }: CliContext, paint: Paint): (finding: Finding) => void {
  return ({ check, status, message, advice }) => {
    const head = `${paint(TONES[status], status.padEnd(4))}  ${check.padEnd(MARGIN - 8)}  `
    const text = printableLines(message).replaceAll('\n', `\n${' '.repeat(MARGIN)}`)
    stdout.write(`${head}${text}\n`)
    if (advice)
      stdout.write(`${' '.repeat(MARGIN)}${paint('faint', `→ ${printableLines(advice)}`)}\n`)
  }
}
