import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { AppError } from '../../../src/shared/errors.js'
import {
  bundlePipeline,
  compilePipeline,
  stopCompiler,
} from '../../../src/shared/pipeline/compile.js'

after(stopCompiler)

const compile = (source: string, maxBytes?: number) =>
  compilePipeline(source, {
    contentType: 'ts',
    ...(maxBytes === undefined ? {} : { maxBytes }),
  })

describe('whether a program may answer a webhook', () => {
  const cases: [body: string, mayRespond: boolean][] = [
    ["http.respond({ body: 'x' })", true],
    ['const { respond } = http; respond()', true],
    ["http['respond']()", true],
    ['const h = { http }; h.http.respond()', true],
    ['globalThis.http.respond()', true],
    ["eval('http.respond()')", true],
    ['http.request()?.body', false],
    ["const url = 'http://x'; const o = { http: url }; o.http.respond?.()", false],
    ["console.log('http.respond()')", false],
    ['', false],
    [`${'['.repeat(20_000)}http.respond()${']'.repeat(20_000)}`, true],
  ]
  for (const [body, mayRespond] of cases)
    it(`${body.slice(0, 60)}: ${mayRespond}`, async () => {
      const program = await compile(`export const pipeline = async () => {\n${body}\n}`).catch(
        () => undefined,
      )
      // what is nested too deeply may be refused as well
      assert.equal(program?.mayRespond ?? true, mayRespond)
    })
})

describe('compilePipeline', () => {
  const accepted = {
    'an exported constant': 'export const pipeline = async (): Promise<void> => {}',
    'an export list': 'const pipeline = async () => {}\nexport { pipeline }',
    'an export under another name': 'async function main() {}\nexport { main as pipeline }',
    'module.exports': 'module.exports = { pipeline: async () => {} }',
    'exports.pipeline': 'exports.pipeline = async () => {}',
    'a byte order mark and CRLF': '\uFEFFexport const pipeline = 1\r\n',
    'types imported from elsewhere':
      'import type { A } from "./a"\nexport const pipeline = async (a?: A) => {}',
  }
  for (const [what, source] of Object.entries(accepted))
    it(`accepts ${what}`, async () => {
      const program = await compile(source)
      assert.match(program.code, /^\(function \(module, exports\)/)
      assert.deepEqual((JSON.parse(program.sourceMap) as { sources: string[] }).sources, [
        'main.js',
      ])
    })

  const refused: [what: string, source: string, message: RegExp, line?: number, column?: number][] =
    [
      [
        'a syntax error',
        'export const pipeline = 1\nlet x = = 2',
        /^syntax error: main\.js:2:9: Unexpected "="$/,
        2,
        9,
      ],
      ['columns after wide characters', 'let ä = "😀" x', /^syntax error: main\.js:1:14: /, 1, 14],
      [
        'top-level await',
        'await 1\nexport const pipeline = 1',
        /^syntax error: main\.js:1:1: Top-level await/,
        1,
        1,
      ],
      ['nothing', '', /^empty pipeline after transpilation$/],
      ['types alone', 'type A = 1 // nothing\n', /^empty pipeline after transpilation$/],
      [
        'no export',
        'const pipeline = async () => {}\nconsole.log(pipeline)',
        /exports nothing named "pipeline"/,
      ],
      [
        'a default export alone',
        'export default async () => {}',
        /exports nothing named "pipeline"/,
      ],
      [
        'an import',
        '\nimport a from "a"\nexport const pipeline = a',
        /^main\.js:2:15: cannot import "a": .*pocketci execute/,
        2,
        15,
      ],
      [
        'a relative import',
        'import { a } from "./a"\nexport const pipeline = a',
        /cannot import "\.\/a"/,
        1,
        19,
      ],
      ['a re-export', 'export { pipeline } from "./a"', /cannot import "\.\/a"/],
      [
        'require',
        'const fs = require("fs")\nexport const pipeline = fs',
        /^main\.js:1:20: cannot require "fs"/,
        1,
        20,
      ],
      [
        'require in a try',
        'try { require("fs") } catch {}\nexport const pipeline = 1',
        /cannot require "fs"/,
      ],
      ['import()', 'export const pipeline = () => import("fs")', /cannot import "fs"/],
      [
        'a control character',
        'export const pipeline = "\u0007"',
        /^syntax error: main\.js:1:26: control character U\+0007$/,
        1,
        26,
      ],
      ['NUL', 'a\n\0', /^syntax error: main\.js:2:1: control character U\+0000$/, 2, 1],
      ['an escape on line 3', '\r\n\n \x1b', /main\.js:3:2: control character U\+001B/, 3, 2],
      ['absurd nesting', `export const pipeline = ${'('.repeat(5_000)}`, /nested too deeply/],
    ]
  for (const [what, source, message, line, column] of refused)
    it(`refuses ${what}`, async () => {
      await assert.rejects(compile(source), (error: unknown) => {
        assert.ok(error instanceof AppError)
        assert.equal(error.code, 'pipeline_invalid')
        assert.match(error.message, message)
        if (line !== undefined) assert.deepEqual(error.details, { line, column })
        return true
      })
    })

  it('refuses a source over its limit, counted in bytes', async () => {
    const source = 'export const pipeline = "éé"'
    await compile(source, 30)
    await assert.rejects(compile(source, 29), /too large: 30 bytes, of 29 at most/)
  })

  it('reads no source map that the source names', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'pocketci-map-'))
    const map = join(folder, 'secret.map')
    await writeFile(
      map,
      JSON.stringify({ version: 3, sources: ['secret.ts'], mappings: 'AAAA', names: [] }),
    )
    for (const url of [map, `file://${map}`]) {
      const source = `export const pipeline = 1\n//# sourceMappingURL=${url}`
      const program = await compile(source)
      assert.doesNotMatch(program.sourceMap, /secret/)
    }
    await rm(folder, { recursive: true })
  })

  it('goes on after a source that kills the compiler, and finishes those beside it', async () => {
    const deadly = `export const pipeline = ${'!'.repeat(1_000_000)}1`
    const good = Array.from({ length: 5 }, () => compile('export const pipeline = 1'))
    const [bad, ...rest] = await Promise.allSettled([compile(deadly), ...good])
    assert.equal(bad.status, 'rejected')
    assert.match(String(bad.reason), /nested too deeply/)
    assert.deepEqual(
      rest.map(({ status }) => status),
      ['fulfilled', 'fulfilled', 'fulfilled', 'fulfilled', 'fulfilled'],
    )
  })
})

describe('bundlePipeline', () => {
  it('bundles relative imports and keeps their file names', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'pocketci-bundle-'))
    await writeFile(join(folder, 'greet.ts'), 'export const greet = (name: string) => `hi ${name}`')
    const main = join(folder, 'build.ts')
    await writeFile(
      main,
      'import { greet } from "./greet"\nexport const pipeline = async () => { console.log(greet("x")) }',
    )
    const program = await bundlePipeline(main)
    assert.match(program.code, /hi \$\{name\}/)
    const { sources } = JSON.parse(program.sourceMap) as { sources: string[] }
    assert.deepEqual(sources.sort(), ['build.ts', 'greet.ts'])

    await writeFile(main, 'import "node:fs"\nexport const pipeline = 1')
    await assert.rejects(
      bundlePipeline(main),
      /^AppError: could not bundle pipeline: build\.ts:1:8: /,
    )
    await rm(folder, { recursive: true })
  })

  it('says that a file is not there', async () => {
    await assert.rejects(bundlePipeline('/nonexistent/x.ts'), /could not bundle pipeline: /)
  })
})
