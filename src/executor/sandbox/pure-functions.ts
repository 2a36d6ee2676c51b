import { type Document, isScalar, LineCounter, parseDocument, stringify, visit } from 'yaml'
import { z } from 'zod'
import { errorMessage, isStackOverflow } from '../../shared/errors.js'
import { compileLinearPattern } from '../../shared/linear-pattern.js'

/** YAML is parsed on the pipeline's time, at no more than 0.7 MiB a second: a slice lasts one. */
const MAX_YAML_BYTES = 262_144

/** Nodes of a parsed document, aliases counted as often as they are used. */
const MAX_YAML_NODES = 250_000

/** Instructions of the pattern times characters of the text: the work that matching may take. */
const MAX_MATCH_WORK = 500_000_000

const patternArgs = z.tuple([z.string(), z.string()]).rest(z.unknown())
const textArgs = z.tuple([z.string()]).rest(z.unknown())

/**
 * The host functions without an effect: same arguments, same answer, nothing to journal. They throw
 * plain errors, whose messages are the guest's.
 */
export function createPureFunctions(): Record<string, (args: readonly unknown[]) => unknown> {
  return {
    'regex.test': (args) => {
      const [pattern, text] = parseArgs(patternArgs, args, 'a pattern and a text are expected')
      return testPattern(pattern, text)
    },
    'yaml.parse': (args) => {
      const [text] = parseArgs(textArgs, args, 'yaml.parse expects a string')
      return parseYaml(text)
    },
    'yaml.stringify': ([value]) => stringifyYaml(value),
  }
}

function parseArgs<Schema extends z.ZodType>(
  schema: Schema,
  args: readonly unknown[],
  message: string,
): z.infer<Schema> {
  const parsed = schema.safeParse(args)
  if (!parsed.success) throw new Error(message)
  return parsed.data
}

/** RE2 semantics: linear in the text, whatever the pattern. */
function testPattern(source: string, text: string): boolean {
  const pattern = compileLinearPattern(source)
  if (pattern.size * text.length > MAX_MATCH_WORK)
    throw new Error(
      `regular expression too costly: a pattern of ${pattern.size} steps on ${text.length} characters`,
    )
  return pattern.test(text)
}

function parseYaml(text: string): unknown {
  if (Buffer.byteLength(text) > MAX_YAML_BYTES)
    throw new Error(`yaml.parse: the text is larger than ${MAX_YAML_BYTES} bytes`)
  const value = readYaml(text)
  // a document without aliases is no larger than its text
  if (text.includes('*')) countNodes(value)
  return value ?? null
}

function readYaml(text: string): unknown {
  try {
    const lines = new LineCounter()
    // the parser's own check compares each key with all others: minutes for a large map
    const document = parseDocument(text, { merge: true, uniqueKeys: false, lineCounter: lines })
    const [error] = document.errors
    if (error) throw error
    refuseDuplicateKeys(document, lines)
    return document.toJS({ maxAliasCount: 100 })
  } catch (error) {
    // the parser recurses; its own overflow is a property of the text, not of the pipeline
    const reason = isStackOverflow(error) ? 'nested too deeply' : errorMessage(error)
    throw new Error(`yaml.parse: ${reason}`, { cause: error })
  }
}

function refuseDuplicateKeys(document: Document.Parsed, lines: LineCounter): void {
  visit(document, {
    Map(_key, map) {
      const keys = new Set<unknown>()
      for (const { key } of map.items) {
        if (!isScalar(key) || key.value === '<<') continue
        if (!keys.has(key.value)) {
          keys.add(key.value)
          continue
        }
        const { line, col } = lines.linePos(key.range?.[0] ?? 0)
        throw new Error(`Map keys must be unique at line ${line}, column ${col}`)
      }
    },
  })
}

function countNodes(root: unknown): void {
  const open = [root]
  for (let count = 0; open.length > 0; count++) {
    if (count + open.length > MAX_YAML_NODES)
      throw new Error('yaml.parse: the document is too large once its aliases are followed')
    const value = open.pop()
    if (typeof value === 'object' && value !== null)
      for (const child of Object.values(value)) open.push(child)
  }
}

function stringifyYaml(value: unknown): string {
  if (JSON.stringify(value ?? null).length > MAX_YAML_BYTES)
    throw new Error(`yaml.stringify: the value is larger than ${MAX_YAML_BYTES} bytes`)
  return stringify(value ?? null, { sortMapEntries: true, aliasDuplicateObjects: false })
}
