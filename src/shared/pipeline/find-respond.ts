import { parse, type Node } from 'acorn'

/**
 * Whether a module may call `http.respond`: it uses `http` for anything but `http.request`, or may get at
 * it in another way. True where nobody can tell.
 */
export function findRespond(module: string): boolean {
  // most files say nothing of the kind, and parsing takes time
  if (!/http|globalThis|eval/.test(module)) return false
  const tree = parseModule(module)
  if (tree === undefined) return true
  const open = [tree]
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (node.type === 'Identifier' && ROOTS.has(String(node['name']))) return true
    for (const part of partsOf(node)) open.push(part)
  }
  return false
}

const ROOTS: ReadonlySet<string> = new Set(['http', 'globalThis', 'eval'])

type AnyNode = Node & Record<string, unknown>

function isNode(value: unknown): value is AnyNode {
  return typeof value === 'object' && value !== null && 'type' in value
}

/** Undefined: the compiler has accepted it, so that it can only be nested too deeply. */
function parseModule(module: string): AnyNode | undefined {
  try {
    // nodes are plain objects
    return parse(module, { ecmaVersion: 'latest', sourceType: 'module' }) as unknown as AnyNode
  } catch {
    return undefined
  }
}

/** What of a node may use a variable: names of members and of properties do not. */
function partsOf(node: AnyNode): AnyNode[] {
  if (node.type === 'MemberExpression' && isRequest(node)) return []
  const { property, key, computed, ...rest } = node
  const parts = computed === true ? [...Object.values(rest), property, key] : Object.values(rest)
  return parts.flat().filter(isNode)
}

function isRequest({ object, property, computed }: AnyNode): boolean {
  return nameOf(object) === 'http' && nameOf(property) === 'request' && computed === false
}

function nameOf(node: unknown): unknown {
  return isNode(node) ? node['name'] : undefined
}
