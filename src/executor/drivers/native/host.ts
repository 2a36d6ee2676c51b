import type { Logger } from '../../../shared/logger.js'
import type { Tools } from '../../../shared/native-host/find-tools.js'
import type { StepUser } from '../../../shared/native-host/step-user.js'
import type { Cgroups } from './cgroups.js'
import type { Layout } from './layout.js'
import type { StartProcess } from './start-process.js'

/** What one native driver works with. */
export interface NativeHost {
  layout: Layout
  /** Of the database that the run is in; several servers may share a root. */
  instance: string
  tools: Tools
  /** Set when the executor is root and steps are somebody else. */
  stepUser: StepUser | undefined
  cgroups: Cgroups
  /** Output kept of each stream. */
  outputBytes: number
  logger: Logger
  startProcess: StartProcess
  /** True when volumes can be bound into a private mount namespace; else they are linked. */
  canBind(): boolean
}
