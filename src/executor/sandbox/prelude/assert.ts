import {
  apply,
  dateNow,
  ErrorIntrinsic,
  freeze,
  is,
  isArray,
  isObject,
  StringIntrinsic,
} from './intrinsics.js'
import { isDeepEqual } from './deep-equal.js'
import { reasonOf } from './describe-error.js'
import { formatDuration } from './duration.js'
import { listOf, withMessage, type Host } from './host.js'
import { inspect } from './inspect.js'
import { describeDifference } from './describe-difference.js'

/**
 * The `assert` global. A failure is told to the host before it is thrown: it fails the run even
 * when the author's code catches it.
 */
export function createAssert(host: Host) {
  const fail = (message: string, failure: Error = new ErrorIntrinsic()): never => {
    host.callSync('assert.failed', listOf(message))
    throw withMessage(failure, `assertion failed: ${message}`)
  }
  const matches = (pattern: unknown, text: string, failure?: Error): boolean => {
    try {
      return host.callSync('regex.test', listOf(StringIntrinsic(pattern), text)) === true
    } catch (error) {
      return fail(reasonOf(error), failure)
    }
  }

  return freeze({
    equal(actual: unknown, expected: unknown, message?: unknown): void {
      if (isDeepEqual(actual, expected)) return
      const difference = describeDifference(actual, expected)
      fail(hasText(message) ? `${message}\n${difference}` : difference)
    },

    notEqual(actual: unknown, expected: unknown, message?: unknown): void {
      if (isDeepEqual(actual, expected))
        fail(textOr(message, `expected not ${inspect(expected)}, but got ${inspect(actual)}`))
    },

    containsString(text: unknown, pattern: unknown, message?: unknown): void {
      const subject = StringIntrinsic(text)
      if (!matches(pattern, subject))
        fail(textOr(message, `expected "${subject}" to contain "${StringIntrinsic(pattern)}"`))
    },

    async eventuallyContainsString(
      getter: unknown,
      pattern: unknown,
      third?: unknown,
      intervalMs?: unknown,
      message?: unknown,
    ): Promise<void> {
      // made before the first wait, so that its stack shows the author's line
      const failure = new ErrorIntrinsic()
      if (getter === undefined || pattern === undefined)
        fail('eventuallyContainsString requires at least getter and substr arguments', failure)
      if (typeof getter !== 'function') fail('expected getter to be a function', failure)
      const options = isObject(third) ? third : { timeoutMs: third, intervalMs, message }
      const timeout = numberOr(options['timeoutMs'], DEFAULT_TIMEOUT_MS)
      const interval = numberOr(options['intervalMs'], DEFAULT_INTERVAL_MS)

      const startedAt = dateNow()
      for (let sleptMs = 0; ; sleptMs += interval) {
        const last = await read(getter as () => unknown, failure)
        if (matches(pattern, last, failure)) return
        // the clock stands still between deliveries: what was slept counts too
        const elapsed = dateNow() - startedAt
        if ((elapsed > sleptMs ? elapsed : sleptMs) >= timeout)
          fail(
            textOr(
              options['message'],
              `expected "${last}" to eventually contain "${StringIntrinsic(pattern)}" within ${formatDuration(timeout)}`,
            ),
            failure,
          )
        await host.callAsync('sleep', listOf(interval))
      }
    },

    truthy(value: unknown, message?: unknown): void {
      if (!value) fail(textOr(message, 'expected false to be truthy'))
    },

    containsElement(list: unknown, element: unknown, message?: unknown): void {
      if (!includes(list, element))
        fail(textOr(message, `expected array to contain ${inspect(element)}`))
    },
  })

  async function read(getter: () => unknown, failure: Error): Promise<string> {
    try {
      return StringIntrinsic(await apply(getter, undefined, []))
    } catch (error) {
      return fail(`eventually getter failed: ${reasonOf(error)}`, failure)
    }
  }
}

const DEFAULT_TIMEOUT_MS = 1_000
const DEFAULT_INTERVAL_MS = 50

function includes(list: unknown, element: unknown): boolean {
  if (!isArray(list)) return false
  for (let index = 0; index < list.length; index++)
    if (list[index] === element || is(list[index], element)) return true
  return false
}

function hasText(message: unknown): message is string {
  return typeof message === 'string' && message !== ''
}

function textOr(message: unknown, fallback: string): string {
  return hasText(message) ? message : fallback
}

function numberOr(value: unknown, fallback: number): number {
  return typeof value === 'number' && value >= 1 ? value : fallback
}
