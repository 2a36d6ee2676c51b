import { basename, dirname, resolve } from 'node:path'
import * as esbuild from 'esbuild'
import { checkSource, SOURCE_FILE } from './check-source.js'
import { invalidPipeline, type SourcePosition } from './invalid-pipeline.js'
import { parseDeclarations } from '../contract/inputs.js'
import { parseSchedules } from '../contract/schedules.js'
import type { CompiledPipeline, PipelineDeclarations } from './program.js'
import { readDeclarations } from './read-declarations.js'
import { findRespond } from './find-respond.js'
import { runCompiler } from './run-compiler.js'

export { stopCompiler } from './run-compiler.js'

/** Largest source that is compiled: generated bundles of this size still compile in milliseconds. */
const MAX_SOURCE_BYTES = 1_048_576

export interface CompileOptions {
  /** Both are read as TypeScript: types are stripped, never checked. */
  contentType: 'ts' | 'js'
  maxBytes?: number
}

/**
 * Compiles one self-contained file to the program of a stored pipeline; nothing of it is executed.
 * Throws `pipeline_invalid`, with `line` and `column` in its details where there is a position.
 */
export async function compilePipeline(
  source: string,
  options: CompileOptions,
): Promise<CompiledPipeline> {
  const { maxBytes = MAX_SOURCE_BYTES } = options
  checkSource(source, maxBytes)
  const sourceBytes = Buffer.byteLength(source)
  const describe = describeFailure('syntax error: ')

  const outline = await runCompiler({ sourceBytes, describe }, () =>
    esbuild.build({
      ...COMMON,
      ...OUTLINE,
      stdin: { contents: source, loader: 'ts', sourcefile: SOURCE_FILE },
      plugins: [refuseImports],
    }),
  )
  const declarations = checkOutline(outline, SOURCE_FILE)

  const { code, map } = await runCompiler({ sourceBytes, describe }, () =>
    esbuild.transform(source, {
      ...COMMON,
      loader: 'ts',
      sourcefile: SOURCE_FILE,
      format: 'cjs',
      sourcemap: 'external',
      banner: BANNER,
      footer: FOOTER,
    }),
  )
  return { code, sourceMap: map, ...declarations }
}

/**
 * Compiles a file together with all that it imports, relative files and installed packages, for a
 * run on this machine. Throws `pipeline_invalid`; positions name the files as the author knows them.
 */
export async function bundlePipeline(path: string): Promise<CompiledPipeline> {
  const file = resolve(path)
  const describe = describeFailure('could not bundle pipeline: ')
  const input: esbuild.BuildOptions = {
    ...COMMON,
    entryPoints: [basename(file)],
    absWorkingDir: dirname(file),
    bundle: true,
    mainFields: ['module', 'main'],
    conditions: ['module'],
    loader: { '.js': 'ts' },
  }

  const outline = await runCompiler({ sourceBytes: 0, describe }, () =>
    esbuild.build({ ...input, ...OUTLINE }),
  )
  const declarations = checkOutline(outline, basename(file))

  const bundle = await runCompiler({ sourceBytes: 0, describe }, () =>
    esbuild.build({
      ...input,
      write: false,
      outfile: SOURCE_FILE,
      allowOverwrite: true,
      format: 'cjs',
      sourcemap: 'external',
      banner: { js: BANNER },
      footer: { js: FOOTER },
    }),
  )
  return { code: outputOf(bundle, '.js'), sourceMap: outputOf(bundle, '.map'), ...declarations }
}

/** The program is an expression, so that evaluating it runs nothing of the author's yet. */
const BANNER = '(function (module, exports) {"use strict";'
const FOOTER = '})'

const COMMON = {
  target: 'es2022',
  platform: 'neutral',
  // the engine counts columns in bytes, source maps in UTF-16 units: in ASCII they agree
  charset: 'ascii',
  legalComments: 'none',
  sourcesContent: false,
  logLevel: 'silent',
  tsconfigRaw: {},
  // indentation would make the output of deeply nested source quadratic in its size
  minifyWhitespace: true,
} as const satisfies esbuild.CommonOptions

/** A build for its metadata: only as a module does the compiler list what a file exports. */
const OUTLINE = {
  bundle: true,
  write: false,
  outfile: SOURCE_FILE,
  allowOverwrite: true,
  format: 'esm',
  metafile: true,
  // a pipeline that nothing exports is not an empty file
  treeShaking: false,
} as const satisfies esbuild.BuildOptions

const refuseImports: esbuild.Plugin = {
  name: 'refuse-imports',
  setup(build) {
    build.onResolve({ filter: /.*/ }, ({ kind, path }) => {
      if (kind === 'entry-point') return null
      const word = kind === 'require-call' ? 'require' : 'import'
      return {
        errors: [
          {
            text: `cannot ${word} ${JSON.stringify(path)}: a stored pipeline is one file; bundle it first, or run it with \`pocketci execute\``,
          },
        ],
      }
    })
  },
}

/** Answers what the file declares. */
function checkOutline(
  outline: esbuild.BuildResult<typeof OUTLINE>,
  file: string,
): PipelineDeclarations {
  const text = outputOf(outline, '.js')
  if (isEmpty(text)) throw invalidPipeline('empty pipeline after transpilation')

  const entry = Object.values(outline.metafile.outputs).find(({ entryPoint }) => entryPoint)
  const format = outline.metafile.inputs[entry?.entryPoint ?? '']?.format
  const isExported =
    format === 'esm' ? (entry?.exports.includes('pipeline') ?? false) : assignsPipeline(text)
  if (!isExported)
    throw invalidPipeline(
      `${file} exports nothing named "pipeline": end it with \`export { pipeline }\``,
    )
  const names = DECLARED.filter((name) => entry?.exports.includes(name))
  const declared = readDeclarations(text, names)
  const inputs = parseDeclarations(declared.inputs ?? {})
  const schedules = parseSchedules(declared.schedules ?? {}, inputs)
  return { inputs, schedules, mayRespond: findRespond(text) }
}

const DECLARED = ['inputs', 'schedules'] as const

function isEmpty(text: string): boolean {
  return text.replace(/export\s*\{\s*\};?/, '').trim() === ''
}

/**
 * CommonJS decides at run time what it exports; this only tells a file that tries from one that
 * does not. Comments are gone at this point.
 */
function assignsPipeline(text: string): boolean {
  return /\b(?:module|exports)\b/.test(text) && /\bpipeline\b/.test(text)
}

function outputOf(result: esbuild.BuildResult, ending: string): string {
  const output = result.outputFiles?.find(({ path }) => path.endsWith(ending))
  if (!output) throw new Error(`the compiler returned no ${ending} file`)
  return output.text
}

const describeFailure =
  (prefix: string) =>
  (failure: esbuild.BuildFailure): Error => {
    const [first] = failure.errors
    if (!first) return invalidPipeline(failure.message, undefined, prefix)
    const isImport = first.pluginName === refuseImports.name
    return invalidPipeline(first.text, positionOf(first.location), isImport ? '' : prefix)
  }

/** The compiler counts columns in bytes from 0. */
function positionOf(location: esbuild.Location | null): SourcePosition | undefined {
  if (!location) return undefined
  const before = Buffer.from(location.lineText).subarray(0, location.column).toString()
  return { file: location.file, line: location.line, column: before.length + 1 }
}
