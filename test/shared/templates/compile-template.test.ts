import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AppError, type ErrorCode } from '../../../src/shared/errors.js'
import {
  compileTemplate,
  type RenderOptions,
} from '../../../src/shared/templates/compile-template.js'
import { DATA, RENDERED } from './cases.js'
import { DIFFERENCES } from './differences.js'
import { COMPILE_ERRORS, RENDER_ERRORS } from './errors.js'

const AS_GO: RenderOptions = { missing: 'no value', isFixed: false }
const EMPTY: RenderOptions = { missing: 'empty', isFixed: false }

function render(source: string, options: RenderOptions = AS_GO, data: unknown = DATA): string {
  return compileTemplate(source, options).render(data)
}

function fails(work: () => unknown, code: ErrorCode, at: [number, number], reason: RegExp): void {
  assert.throws(work, (error: unknown) => {
    assert(error instanceof AppError, String(error))
    assert.equal(error.code, code, error.message)
    assert.match(String(error.details['reason']), reason)
    assert.deepEqual([error.details['line'], error.details['column']], at, error.message)
    return true
  })
}

for (const [topic, cases] of Object.entries(RENDERED))
  describe(`as in Go: ${topic}`, () => {
    for (const [source, expected] of cases)
      it(JSON.stringify(source), () => assert.equal(render(source), expected))
  })

describe('other than in Go', () => {
  for (const [source, expected] of DIFFERENCES)
    it(source, () => assert.equal(render(source), expected))
})

describe('a template that cannot be compiled is refused with the place of the fault', () => {
  for (const [source, line, column, reason] of COMPILE_ERRORS)
    it(JSON.stringify(source), () =>
      fails(() => render(source), 'template_invalid', [line, column], reason),
    )
})

describe('a rendering fails with the place of the fault', () => {
  for (const [source, line, column, reason] of RENDER_ERRORS)
    it(JSON.stringify(source), () => {
      const template = compileTemplate(source, AS_GO)
      fails(() => template.render(DATA), 'template_failed', [line, column], reason)
    })
})

describe('what is missing', () => {
  it('is empty, however deep, where the option says so', () => {
    assert.equal(render('[{{.Missing}}{{.Missing.deeper.still}}{{.Nil}}]', EMPTY), '[]')
    assert.equal(render('{{index .Map "nope"}}-{{print .Name}}', EMPTY), '-shop')
    assert.equal(render('{{with .Missing.x}}a{{else}}b{{end}}', EMPTY), 'b')
    fails(() => render('{{.Name.x}}', EMPTY), 'template_failed', [1, 8], /a string has no field/)
  })

  it('is a fault on the first level, where the fields of the data are fixed', () => {
    const fixed: RenderOptions = { missing: 'empty', isFixed: true }
    assert.equal(render('{{.Name}}{{.Map.nope}}', fixed), 'shop')
    fails(() => render('{{.Nope}}', fixed), 'template_failed', [1, 3], /there is no field "Nope"/)
    fails(
      () => render('{{range .List}}{{$.Nope}}{{end}}', fixed),
      'template_failed',
      [1, 19],
      /no field/,
    )
  })
})

describe('the data', () => {
  it('is left alone by functions that change maps', () => {
    const data = { m: { a: 1 }, l: ['x'] }
    assert.equal(
      render('{{$_ := set .m "b" 2}}{{$_ := unset .m "a"}}{{.m}}', AS_GO, data),
      'map[b:2]',
    )
    assert.deepEqual(data, { m: { a: 1 }, l: ['x'] })
    const template = compileTemplate('{{$_ := set .m "n" (add 1 (get .m "n"))}}{{.m.n}}', AS_GO)
    assert.equal(template.render({ m: {} }), '1')
    assert.equal(template.render({ m: {} }), '1')
  })

  it('may have keys that are names of the language of the host', () => {
    const data: unknown = JSON.parse('{"__proto__": {"a": 1}, "constructor": "c"}')
    assert.equal(render('{{.__proto__.a}} {{.constructor}} {{.toString}}', EMPTY, data), '1 c ')
    assert.equal(
      render('{{$d := dict "__proto__" 1}}{{$d}} {{toJson $d}}'),
      'map[__proto__:1] {"__proto__":1}',
    )
  })

  it('runs nothing: getters, functions, Proxies and class instances are faults', () => {
    const touched: string[] = []
    const getter = Object.defineProperty({}, 'a', {
      get: () => touched.push('get'),
      enumerable: true,
    })
    const proxy = new Proxy({}, { get: () => touched.push('get'), ownKeys: () => ['a'] })
    for (const hostile of [
      getter,
      proxy,
      () => touched.push('fn'),
      new Date(),
      new Map(),
      1n,
      Symbol(),
    ])
      for (const data of [hostile, { a: hostile }, [hostile]])
        assert.throws(() => render('x', AS_GO, data), { code: 'template_failed' })
    assert.deepEqual(touched, [])
  })
})

describe('the limits', () => {
  const over = (source: string, reason: RegExp, data: unknown = DATA): void =>
    assert.throws(
      () => render(source, EMPTY, data),
      (error: unknown) => error instanceof AppError && reason.test(error.message),
      source.slice(0, 100),
    )

  it('of the source and of its depth', () => {
    over('a'.repeat(262_145), /longer than 262144 characters/)
    over('{{if .T}}'.repeat(500) + '{{end}}'.repeat(500), /nested too deeply/)
    over(`{{if .T}}${'{{else if .T}}'.repeat(500)}{{end}}`, /nested too deeply/)
    over(`{{${'('.repeat(500)}1${')'.repeat(500)}}}`, /nested too deeply/)
    over(`{{${'print ('.repeat(500)}1${')'.repeat(500)}}}`, /nested too deeply/)
    over(`{{.${'a.'.repeat(500)}a}}`, /nested too deeply/)
    over(Array.from({ length: 500 }, (_, n) => `{{block "${n}" .}}`).join(''), /nested too deeply/)
    assert.equal(render('{{if .T}}'.repeat(90) + 'x' + '{{end}}'.repeat(90)), 'x')
  })

  it('of the steps, whatever the loop', () => {
    over('{{range 90000}}{{range 90000}}{{end}}{{end}}', /more than 500000 steps/)
    over('{{range 90000}}{{range $.List}}x{{end}}{{end}}', /more than 500000 steps/)
    over('{{$l := until 50000}}{{range $l}}{{$_ := reverse $l}}{{end}}', /more than 500000 steps/)
    over('{{$l := until 9000}}{{$_ := uniq $l}}', /more than 500000 steps/)
    over(
      '{{$s := repeat 500000 "a"}}{{range 1000}}{{$_ := upper $s}}{{end}}',
      /more than 500000 steps/,
    )
    over('{{$s := repeat 1000000 "a"}}{{regexMatch "(a*)*b" $s}}', /more than 500000 steps/)
    over(
      '{{define "x"}}{{template "y" .}}{{template "y" .}}{{end}}{{define "y"}}{{range 9}}{{template "z" .}}{{end}}{{end}}{{define "z"}}{{range 90000}}{{end}}{{end}}{{template "x"}}',
      /more than 500000 steps/,
    )
  })

  it('of what is rendered and made', () => {
    over(
      '{{$s := repeat 500000 "a"}}{{$s}}{{$s}}{{$s}}',
      /more than 1048576 characters are rendered/,
    )
    over('{{repeat 1048577 "a"}}', /longer than 1048576/)
    over('{{$s := repeat 999999 "a"}}{{print $s $s}}', /longer than 1048576/)
    over('{{$s := repeat 999999 "a"}}{{printf "%s%s" $s $s}}', /longer than 1048576/)
    over('{{$s := repeat 999999 "a"}}{{list $s $s | join ","}}', /longer than 1048576/)
    over('{{$s := repeat 99999 "a"}}{{replace "a" $s $s}}', /longer than 1048576/)
    over(
      '{{$s := repeat 99999 "a"}}{{regexReplaceAll "a" $s "aaaaaaaaaaaaaaaa"}}',
      /longer than 1048576|steps/,
    )
    over('{{$d := dict}}{{$_ := set $d "d" $d}}{{$d}}', /nested too deeply/)
    over('{{$d := dict}}{{$_ := set $d "d" $d}}{{toJson $d}}', /nested too deeply/)
    over('{{$d := dict}}{{$_ := set $d "d" $d}}{{deepEqual $d $d}}', /nested too deeply/)
    over(
      '{{$l := list 1}}{{range 60}}{{$l = list $l $l}}{{end}}{{toJson $l}}',
      /more than 500000 steps/,
    )
    over(
      '{{$l := list 1}}{{range 60}}{{$l = list $l $l}}{{end}}{{$l}}',
      /more than 500000 steps|longer/,
    )
    over('{{printf "%999999d" 1 | len}}{{printf "%*d" 99999999 1 | fail}}', / {900}/)
  })

  it('of the data', () => {
    over('x', /nested too deeply/, JSON.parse('['.repeat(10_000) + ']'.repeat(10_000)))
    over('x', /more than 100000 values/, { a: Array(60_000).fill(0), b: Array(60_000).fill(0) })
    const loop: Record<string, unknown> = {}
    loop['loop'] = loop
    over('x', /nested too deeply/, loop)
  })
})
