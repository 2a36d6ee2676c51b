import {
  parse,
  type Expression,
  type Program as Tree,
  type Property,
  type SpreadElement,
} from 'acorn'
import { parseDeclarations, type InputDeclarations } from '../contract/inputs.js'
import { invalidPipeline } from './invalid-pipeline.js'

/** How deep a declaration is nested: inputs, input, choices. */
const MAX_DEPTH = 4

/**
 * The `inputs` export of a module. It is read, not run: nothing of an author's runs outside of a
 * run's sandbox, so it has to be written out as literals.
 */
export function readInputs(module: string): InputDeclarations {
  const value = findValue(parseModule(module))
  if (!value) throw notLiteral('inputs')
  const declared = toData(value, 'inputs', 0)
  return parseDeclarations(declared)
}

function parseModule(module: string): Tree {
  try {
    return parse(module, { ecmaVersion: 'latest', sourceType: 'module' })
  } catch {
    // the compiler has accepted it, so that it can only be too much
    throw invalidPipeline('inputs: the file is nested too deeply to be read for them')
  }
}

/** What the variable behind the export was declared with. */
function findValue({ body }: Tree): Expression | undefined {
  const specifiers = body.flatMap((node) =>
    node.type === 'ExportNamedDeclaration' ? node.specifiers : [],
  )
  const found = specifiers.find(
    ({ exported }) => exported.type === 'Identifier' && exported.name === 'inputs',
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
