import { constants, getPriority, setPriority } from 'node:os'

/** How far a thread that executes a run stands back: about a third of the share of others. */
const NICENESS = 5

// Of the calling thread alone, which is so on Linux only. Loading the rest is a good part of what a cold thread
// costs; when many start at once the api, the claims and the writer threads must not wait behind them.
if (process.platform === 'linux')
  setPriority(0, Math.min(constants.priority.PRIORITY_LOW, getPriority(0) + NICENESS))

const { default: runThread } = await import('./run-thread.js')

export default runThread
