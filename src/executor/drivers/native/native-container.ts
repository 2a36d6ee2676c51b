import { statSync } from 'node:fs'
import { AppError } from '../../../shared/errors.js'
import type { Container, ExitStatus } from '../driver.js'
import { isWithin, unlessAborted } from '../../../shared/wait.js'
import { processesIn } from './cgroups.js'
import { readState, readTotal, type ContainerState } from './container-state.js'
import { controlFiles, type ControlFiles } from './layout.js'
import type { Place } from './places.js'
import { findProcesses, killAll, signalAll } from './processes.js'
import { readOutput } from './read-output.js'
import type { FolderWatch } from './watch-folder.js'

const GRACE_MS = 5000

/** Output of processes that outlive their command counts as complete after such a silence. */
const SILENCE_MS = 250

/** How long a wrapper may take to note the end of a command whose processes are all dead. */
const WRAPPER_MS = 2000

export interface NativeContainer extends Container {
  /** Kills what there is of it, its wrapper too, and waits until all is gone. */
  destroy(): Promise<void>
}

export interface ContainerOptions {
  place: Place
  /** Of its control folder; the container disposes it when all is known. */
  watch: FolderWatch
  /** Removes what it has on disk, once nothing of it runs. */
  clean(): Promise<void>
}

/** A container whose claim was taken, by whichever executor: all is read from its control files. */
export function openContainer(options: ContainerOptions): NativeContainer {
  const { place, watch, clean } = options
  const files = controlFiles(place.controlDir)
  let isComplete = false
  let settled: Promise<ExitStatus> | undefined
  const settle = (): Promise<ExitStatus> => {
    settled ??= waitForEnd(files, watch).then(async (status) => {
      if (!areTotalsKnown(files)) {
        if (!place.isExec) await killAll(() => membersOf(place))
        await waitForSilence(files, watch)
      }
      isComplete = true
      watch[Symbol.dispose]()
      return status
    })
    settled.catch(() => watch.output.bump()) // who waits for it gets the error as well
    return settled
  }

  const container: NativeContainer = {
    id: place.id,
    async *output({ from = { stdout: 0, stderr: 0 }, signal } = {}) {
      const settling = settle()
      yield* readOutput({
        files,
        from,
        signal,
        changes: watch.output,
        isComplete: () => isComplete,
        isClosed: () => watch.isClosed && !isComplete,
      })
      if (!signal?.aborted) await settling
    },

    wait: (signal) => unlessAborted(settle(), signal),

    async kill(graceMs = GRACE_MS) {
      const ended = settle()
      if (isComplete) return
      signalAll(membersOf(place), 'SIGTERM')
      signalAll(membersOf(place), 'SIGCONT')
      if (await isWithin(ended, graceMs)) return
      await killAll(() => membersOf(place))
      await ended
    },

    async destroy() {
      await killAll(() => membersOf(place))
      if (readState(files).type === 'running') await isWithin(settle(), WRAPPER_MS)
      // its wrapper did not come to its end, or had not begun
      if (isPending(readState(files))) {
        await killAll(() => findAll(place))
        await killAll(() => membersOf(place))
      }
      watch[Symbol.dispose]()
    },

    async remove() {
      await container.destroy()
      await clean()
    },
  }
  return container
}

async function waitForEnd(files: ControlFiles, watch: FolderWatch): Promise<ExitStatus> {
  for (;;) {
    const seen = watch.state.version
    const state = readState(files)
    switch (state.type) {
      case 'exited': {
        const { exitCode, isOutOfMemory } = state
        return { exitCode, isOutOfMemory, isLost: false }
      }
      case 'refused':
        return { exitCode: 127, isOutOfMemory: false, isLost: false }
      case 'lost':
      case 'absent':
        return { exitCode: 255, isOutOfMemory: false, isLost: true }
      case 'starting':
      case 'running':
        if (watch.isClosed) throw new AppError('aborted', 'the driver was closed')
        await watch.state.after(seen)
    }
  }
}

/** What runs of a container: all that is in its group, else all that can be recognized. */
function membersOf(place: Place): number[] {
  const cgroup = place.findCgroup()
  if (cgroup && cgroup.dirs.length > 0) return processesIn(cgroup)
  const state = readState(controlFiles(place.controlDir))
  return findProcesses({
    hasMarker: (value) => value === place.marker,
    includesWrappers: false,
    sessions: new Set(state.type === 'running' ? [state.leader] : []),
  })
}

/** Its processes at whatever stage of their start, and its wrapper. */
function findAll({ marker }: Place): number[] {
  return findProcesses({
    hasMarker: (value) => value === marker,
    includesWrappers: true,
    sessions: new Set(),
  })
}

function isPending({ type }: ContainerState): boolean {
  return type === 'absent' || type === 'starting' || type === 'running'
}

function areTotalsKnown(files: ControlFiles): boolean {
  return readTotal(files.stdoutTotal) !== undefined && readTotal(files.stderrTotal) !== undefined
}

/** All was written when the pumps say so, or when nothing has come for a while. */
async function waitForSilence(files: ControlFiles, watch: FolderWatch): Promise<void> {
  let size = outputSize(files)
  let silence = AbortSignal.timeout(SILENCE_MS)
  while (!areTotalsKnown(files) && !silence.aborted && !watch.isClosed) {
    await watch.output.after(watch.output.version, silence)
    if (outputSize(files) === size) continue
    size = outputSize(files)
    silence = AbortSignal.timeout(SILENCE_MS)
  }
}

function outputSize({ stdout, stderr }: ControlFiles): number {
  return statSync(stdout).size + statSync(stderr).size
}
