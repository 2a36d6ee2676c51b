import { readFileSync } from 'node:fs'
import { AppError, errorMessage, hasCode } from '../../../shared/errors.js'
import { readState } from './container-state.js'
import type { NativeHost } from './host.js'
import { launch, type PlacedCommand } from './launch.js'
import { controlFiles, type ControlFiles } from './layout.js'
import type { NativeContainer } from './native-container.js'
import { makeControlDir, type Place } from './places.js'
import type { FolderWatch } from './watch-folder.js'

export interface StartOptions {
  host: NativeHost
  place: Place
  /** For errors: what is executed. */
  commandName: string
  /** Makes what the command needs; not called when there is nothing to start. */
  prepare(): PlacedCommand
  /** See ContainerSpec. */
  beforeStart: (() => void) | undefined
  attach(place: Place): Attached
  signal: AbortSignal
}

/** A container and the watch of its control folder. */
export interface Attached {
  container: NativeContainer
  watch: FolderWatch
}

/**
 * Starts the command of a place, or attaches to it when some wrapper has taken its claim, and waits
 * until it executes. When it cannot, or the signal aborts, nothing of it is left.
 */
export async function startContainer(options: StartOptions): Promise<NativeContainer> {
  const { host, place, attach, signal } = options
  if (signal.aborted) throw aborted()
  makeControlDir(host, place.controlDir)
  const { container, watch } = attach(place)
  try {
    const wrapper = launchOnce(options, watch)
    await waitForStart(options, watch, wrapper)
    return container
  } catch (error) {
    // a driver that is let go, or whose run is another's, leaves what it has begun to the next one
    if (!watch.isClosed && !hasCode(error, 'lease_lost')) await container.remove()
    throw error
  }
}

/** Launches a wrapper unless one has taken the claim. */
function launchOnce(
  { host, place, prepare, beforeStart }: StartOptions,
  watch: FolderWatch,
): WrapperEnd {
  const wrapper: WrapperEnd = { isOver: false, error: undefined }
  if (readState(controlFiles(place.controlDir)).type !== 'absent') return wrapper
  const end = (error?: Error): void => {
    Object.assign(wrapper, { isOver: true, error })
    watch.state.bump()
  }
  beforeStart?.()
  launch(host, place, prepare(), end)
  return wrapper
}

/** What the event loop tells of the wrapper, before its files or without them. */
interface WrapperEnd {
  isOver: boolean
  error: Error | undefined
}

async function waitForStart(
  { place, commandName, signal }: StartOptions,
  watch: FolderWatch,
  wrapper: WrapperEnd,
): Promise<void> {
  const files = controlFiles(place.controlDir)
  for (;;) {
    const seen = watch.state.version
    const { isOver, error } = wrapper
    if (signal.aborted || watch.isClosed) throw aborted()
    const state = readState(files)
    switch (state.type) {
      case 'running':
      case 'exited':
      case 'lost':
        return
      case 'refused':
        throw refusal(state.reason, commandName, files)
      case 'absent':
        if (isOver) throw cannotStart(error ? errorMessage(error) : 'its wrapper died', error)
        break
      case 'starting':
    }
    await watch.state.after(seen, signal)
  }
}

/** Why a command could not be executed, by the word that the scripts left. */
function refusal(reason: string, commandName: string, { stderr }: ControlFiles): AppError {
  const name = commandName.slice(0, 200)
  switch (reason) {
    case 'command':
      return new AppError('command_not_found', `command not found or not executable: "${name}"`, {
        details: { command: name },
      })
    case 'workdir':
      return cannotStart('its work dir cannot be entered')
    case 'mount':
      return cannotStart('a volume cannot be mounted')
    default:
      // what setpriv and the like had to say
      return cannotStart(readFileSync(stderr, 'utf8').slice(0, 500).trim() || 'for no reason given')
  }
}

function cannotStart(reason: string, cause?: Error): AppError {
  return new AppError('container_failed', `cannot start: ${reason}`, { cause })
}

function aborted(): AppError {
  return new AppError('aborted', 'the start was aborted')
}
