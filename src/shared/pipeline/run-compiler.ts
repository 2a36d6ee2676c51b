import * as esbuild from 'esbuild'
import { invalidPipeline } from './invalid-pipeline.js'

/** What a job needs beside its build: how large its source is and how its errors read. */
export interface CompilerJob {
  sourceBytes: number
  describe(failure: esbuild.BuildFailure): Error
}

/** A source below this size cannot exhaust the compiler's stack, whatever it nests. */
const HARMLESS_BYTES = 65_536

const MAX_ATTEMPTS = 4

/** Ordinary sources take milliseconds; a job cannot be cancelled, only its process ended. */
const COMPILE_TIMEOUT_MS = 10_000

/**
 * Runs one job on the compiler, a child process that all jobs of this process share. Source can be
 * nested so deeply that it dies, and every job under way with it. Then it is started afresh and a
 * job that cannot have been the cause is repeated; the others are refused.
 */
export async function runCompiler<Result>(
  job: CompilerJob,
  build: () => Promise<Result>,
): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await withDeadline(build())
    } catch (error) {
      if (isBuildFailure(error)) throw job.describe(error)
      if (!isCompilerDeath(error)) throw error
      await esbuild.stop()
      const isSuspect = job.sourceBytes > HARMLESS_BYTES
      if (isSuspect || attempt === MAX_ATTEMPTS)
        throw invalidPipeline('the compiler could not take it: it is nested too deeply')
    }
  }
}

async function withDeadline<Result>(building: Promise<Result>): Promise<Result> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    reject(invalidPipeline(`compiling it took more than ${COMPILE_TIMEOUT_MS / 1_000} s`))
    void esbuild.stop()
  }, COMPILE_TIMEOUT_MS)
  try {
    return await Promise.race([building, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Ends the compiler's process; the next job starts another. */
export async function stopCompiler(): Promise<void> {
  await esbuild.stop()
}

function isBuildFailure(error: unknown): error is esbuild.BuildFailure {
  return error instanceof Error && 'errors' in error && Array.isArray(error.errors)
}

function isCompilerDeath(error: unknown): boolean {
  return (
    error instanceof Error && /The service (was stopped|is no longer running)/.test(error.message)
  )
}
