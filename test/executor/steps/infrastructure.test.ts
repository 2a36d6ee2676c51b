import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openPatience } from '../../../src/executor/steps/infrastructure.js'
import type { RunContext } from '../../../src/executor/steps/run-context.js'
import { AppError } from '../../../src/shared/errors.js'
import { createLogger } from '../../../src/shared/logger.js'
import { createRedactor } from '../../../src/shared/redact/redactor.js'

const TEN_MINUTES = 600_000

function open(signal = new AbortController().signal) {
  const clock = { now: 0 }
  const notes: string[] = []
  const context: Pick<RunContext, 'now' | 'logger' | 'redactor' | 'effects' | 'signal'> = {
    now: () => clock.now,
    logger: createLogger({ level: 'error', format: 'json', addSource: false }, 'test'),
    redactor: createRedactor(),
    effects: {
      record: async (changes) => {
        for (const change of changes) if (change.type === 'note') notes.push(change.text)
      },
    } as RunContext['effects'],
    signal,
  }
  // nothing else of the context has to do with patience
  return { clock, notes, patience: openPatience(context as RunContext, { step: 1, signal }) }
}

const registry = new AppError('registry_unavailable', 'no answer')

test('a registry is waited for ten minutes, from its first failure', async () => {
  const { clock, notes, patience } = open()
  await patience.wait(registry)
  assert.deepEqual(notes, ['no answer; trying again'])
  clock.now = TEN_MINUTES
  await assert.rejects(patience.wait(registry), { code: 'registry_unavailable' })
})

test('an engine is waited for however long it takes', async () => {
  const { clock, patience } = open()
  const away = new AppError('driver_unavailable', 'no engine')
  await patience.wait(away)
  clock.now = 100 * TEN_MINUTES
  await patience.wait(away)
  assert.deepEqual(patience.over(), [{ type: 'note', step: 1, text: '' }])
  assert.deepEqual(patience.over(), [])
})

test('what the pipeline’s author has to change is not waited for, nor is anything after a stop', async () => {
  const { patience } = open()
  const missing = new AppError('image_unavailable', 'no such image')
  await assert.rejects(patience.wait(missing), { code: 'image_unavailable' })
  const stopped = open(AbortSignal.abort('stop'))
  await assert.rejects(stopped.patience.wait(registry), { code: 'registry_unavailable' })
})
