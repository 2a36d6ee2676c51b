import {
  parse,
  type Expression,
  type Program as Tree,
  type Property,
  type SpreadElement,
} from 'acorn'
import { invalidPipeline } from './invalid-pipeline.js'

/** How deep a declaration is nested: inputs, input, choices; schedules, schedule, inputs, value. */
const MAX_DEPTH = 4

/**
 * The exports of a module that have these names, as data. They are read, not run: nothing of an
 * author's runs outside of a run's sandbox, so they have to be written out as literals.
 */
export function readDeclarations<Name extends string>(
  module: string,
  names: readonly Name[],
): Partial<Record<Name, unknown>> {
  if (names.length === 0) return {}
  const tree = parseModule(module, names)
  const found = names.map((name): [Name, unknown] => {
    const value = findValue(tree, name)
    if (!value) throw notLiteral(name)
    return [name, toData(value, name, 0)]
  })
  // the keys are the names
  return Object.fromEntries(found) as Record<Name, unknown>
}

function parseModule(module: string, names: readonly string[]): Tree {
  try {
    return parse(module, { ecmaVersion: 'latest', sourceType: 'module' })
  } catch {
    // the compiler has accepted it, so that it can only be too much
    const what = names.join(' and ')
    throw invalidPipeline(`${what}: the file is nested too deeply to be read for them`)
  }
}

/** What the variable behind the export was declared with. */
function findValue({ body }: Tree, exportName: string): Expression | undefined {
  const specifiers = body.flatMap((node) =>
    node.type === 'ExportNamedDeclaration' ? node.specifiers : [],
  )
  const found = specifiers.find(
    ({ exported }) => exported.type === 'Identifier' && exported.name === exportName,
  )
  if (found?.local.type !== 'Identifier') return undefined
  const { name } = found.local
  const declarators = body.flatMap((node) =>
    node.type === 'VariableDeclaration' ? node.declarations : [],
  )
  return (
    declarators.find(({ id }) => id.type === 'Identifier' && id.name === name)?.init ?? undefined
  )
}

function toData(node: Expression | SpreadElement | null, path: string, depth: number): unknown {
  if (!node || depth > MAX_DEPTH) throw notLiteral(path)
  switch (node.type) {
    case 'ObjectExpression':
      return Object.fromEntries(
        node.properties.map((property) => {
          const key = keyOf(property, path)
          return [key.name, toData(key.value, `${path}.${key.name}`, depth + 1)]
        }),
      )
    case 'ArrayExpression':
      return node.elements.map((element, at) => toData(element, `${path}.${at}`, depth + 1))
    case 'Literal':
      if (node.regex || node.bigint) throw notLiteral(path)
      return node.value
    case 'TemplateLiteral':
      if (node.expressions.length > 0) throw notLiteral(path)
      return node.quasis[0]?.value.cooked
    case 'UnaryExpression': {
      const value = toData(node.argument, path, depth + 1)
      if (node.operator === '-' && typeof value === 'number') return -value
      throw notLiteral(path)
    }
    default:
      throw notLiteral(path)
  }
}

function keyOf(
  property: Property | SpreadElement,
  path: string,
): { name: string; value: Expression } {
  if (property.type === 'SpreadElement' || property.computed || property.kind !== 'init')
    throw notLiteral(path)
  const { key, value } = property
  const name = key.type === 'Identifier' ? key.name : key.type === 'Literal' ? key.value : undefined
  if (typeof name !== 'string') throw notLiteral(path)
  return { name, value }
}

function notLiteral(path: string): Error {
  return invalidPipeline(
    `${path}: it is read without running the pipeline, so it has to be written out: no variables, no calls`,
  )
}
