import type Docker from 'dockerode'
import { AppError } from '../../../shared/errors.js'
import type { Container, ExecSpec, Sandbox, SandboxSpec } from '../driver.js'
import { toDriverError } from '../../../shared/docker/engine.js'
import { EXEC_WRAPPER } from './exec-wrapper.js'
import { openExec, runScript } from './open-exec.js'
import { startContainer, type DockerHost } from './start-container.js'

/** What keeps a sandbox alive: it reaps what execs leave behind, and ends at once when told to. */
const IDLE = 'trap "exit 0" TERM INT; while :; do sleep 3600 & wait $!; done'

/** See Driver. The image needs a shell. */
export async function startSandbox(
  host: DockerHost,
  spec: SandboxSpec,
  signal: AbortSignal,
): Promise<Sandbox> {
  const name = host.names.sandbox(spec.id)
  const command = ['sh', '-c', IDLE] as const
  const idle = await startContainer(host, { name, spec: { ...spec, command }, signal })
  const place = { container: host.docker.getContainer(name), name, sandbox: spec }
  const known = new Map<string, Promise<Container>>()
  return {
    id: spec.id,
    exec(exec, signal) {
      const opened = known.get(exec.id) ?? startExec(place, exec, signal)
      known.set(exec.id, opened)
      opened.catch(() => known.delete(exec.id)) // the caller gets the error
      return opened
    },
    remove: () => idle.remove(),
  }
}

interface Place {
  container: Docker.Container
  /** Of the container in the engine. */
  name: string
  sandbox: SandboxSpec
}

/** Starts a command, or finds the one that an earlier executor has started. */
async function startExec(place: Place, spec: ExecSpec, signal: AbortSignal): Promise<Container> {
  if (signal.aborted) throw new AppError('aborted', 'the start was aborted')
  if (!/^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}$/.test(spec.id))
    throw new AppError('container_failed', `invalid exec id "${spec.id.slice(0, 140)}"`)
  const { container, name, sandbox } = place
  const dir = `/tmp/.pocketci/${spec.id}`
  const hasInput = spec.stdin !== undefined
  try {
    if ((await runScript(container, '[ -d "$1" ]', [dir])) === 0)
      return openExec({ container, id: spec.id, dir })
    spec.beforeStart?.()
    const work = workDirOf(name, spec.workDir ?? sandbox.workDir)
    const exec = await container.exec({
      Cmd: ['sh', '-c', EXEC_WRAPPER, 'pocketci', dir, work, ...spec.command],
      Env: Object.entries(spec.env).map(([key, value]) => `${key}=${value}`),
      AttachStdin: hasInput,
      AttachStdout: true,
      AttachStderr: true,
    })
    const attached = await exec.start(hasInput ? { hijack: true, stdin: true } : {})
    attached.on('error', () => undefined) // its reader, if there is one, goes on with the files
    if (hasInput) attached.end(spec.stdin)
    return openExec({ container, id: spec.id, dir, attached })
  } catch (error) {
    throw toDriverError(error, 'container_failed', 'exec in the sandbox')
  }
}

function workDirOf(name: string, workDir = '.'): string {
  return workDir.startsWith('/') ? workDir : `/tmp/${name}/${workDir}`
}
