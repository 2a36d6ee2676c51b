import type { CommandSpec } from './command-spec.js'
import { auditExportCommand, auditLsCommand } from './commands/audit.js'
import { completionCommand } from './commands/completion.js'
import { doctorCommand } from './commands/doctor.js'
import { executeCommand } from './commands/execute.js'
import { gateLsCommand } from './commands/gate-ls.js'
import { gateApproveCommand, gateRejectCommand } from './commands/gate-resolve.js'
import { loginCommand } from './commands/login.js'
import { lsCommand } from './commands/pipeline-ls.js'
import { pauseCommand, unpauseCommand } from './commands/pipeline-pause.js'
import { rmCommand } from './commands/pipeline-rm.js'
import { runCommand } from './commands/pipeline-run.js'
import { setCommand } from './commands/pipeline-set.js'
import { scheduleLsCommand } from './commands/pipeline-schedule-ls.js'
import { schedulePauseCommand, scheduleUnpauseCommand } from './commands/pipeline-schedule-pause.js'
import { seedPassedCommand } from './commands/pipeline-seed-passed.js'
import { showCommand } from './commands/pipeline-show.js'
import { triggerCommand } from './commands/pipeline-trigger.js'
import { queueCommand } from './commands/queue.js'
import { runRerunCommand, runResumeCommand, runRetriggerCommand } from './commands/run-again.js'
import { runLogsCommand } from './commands/run-logs.js'
import { runLsCommand } from './commands/run-ls.js'
import { runShareCommand, runSharesCommand, runUnshareCommand } from './commands/run-share.js'
import { runShowCommand } from './commands/run-show.js'
import { runStopCommand } from './commands/run-stop.js'
import { driversCommand, featuresCommand } from './commands/server-info.js'
import { tokenCreateCommand, tokenLsCommand, tokenRmCommand } from './commands/token.js'
import { apiCommand, executorCommand, serverCommand } from './commands/server.js'

/** A command, or a group of them below one word. */
export type CommandNode = CommandSpec | CommandGroup

export interface CommandGroup {
  name: string
  summary: string
  commands: readonly CommandNode[]
}

export function isGroup(node: CommandNode): node is CommandGroup {
  return 'commands' in node
}

/** All that `pocketci` does, but for what is about this table itself: help and what shells ask. */
export const COMMAND_TREE: readonly CommandNode[] = [
  serverCommand,
  apiCommand,
  executorCommand,
  executeCommand,
  loginCommand,
  {
    name: 'pipeline',
    summary: 'set, run and manage the pipelines of a server',
    commands: [
      setCommand,
      lsCommand,
      showCommand,
      rmCommand,
      runCommand,
      triggerCommand,
      pauseCommand,
      unpauseCommand,
      seedPassedCommand,
      {
        name: 'schedule',
        summary: 'look at the schedules of a pipeline, pause them and let them go on',
        commands: [scheduleLsCommand, schedulePauseCommand, scheduleUnpauseCommand],
      },
    ],
  },
  {
    name: 'run',
    summary: 'look at the runs of a server, stop them and run them again',
    commands: [
      runLsCommand,
      runShowCommand,
      runLogsCommand,
      runStopCommand,
      runResumeCommand,
      runRerunCommand,
      runRetriggerCommand,
      runShareCommand,
      runSharesCommand,
      runUnshareCommand,
    ],
  },
  {
    name: 'gate',
    summary: 'approve and reject what runs wait for',
    commands: [gateLsCommand, gateApproveCommand, gateRejectCommand],
  },
  {
    name: 'token',
    summary: 'make, list and revoke tokens for programs',
    commands: [tokenCreateCommand, tokenLsCommand, tokenRmCommand],
  },
  {
    name: 'audit',
    summary: 'look at who did what',
    commands: [auditLsCommand, auditExportCommand],
  },
  queueCommand,
  driversCommand,
  featuresCommand,
  doctorCommand,
  completionCommand,
]
