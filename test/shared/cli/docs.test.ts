import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import type { CommandSpec } from '../../../src/shared/cli/command-spec.js'
import { COMMAND_TREE, isGroup, type CommandNode } from '../../../src/shared/cli/command-tree.js'
import { CONNECTION_FLAGS } from '../../../src/shared/cli/connection.js'
import { OUTPUT_FLAGS } from '../../../src/shared/cli/output-flags.js'
import { listFlags } from '../../../src/shared/cli/show-list.js'
import { GLOBAL_FLAGS } from '../../../src/shared/config/global-flags.js'
import { SERVER_FLAGS } from '../../../src/shared/config/server-flags.js'
import { repoPath } from '../../helpers/repo.js'

const DOCS = readFileSync(repoPath('docs/cli.md'), 'utf8')
/** By their titles, without code marks. */
const SECTIONS = new Map(
  DOCS.split(/^##+ /m).map((text) => {
    const [title = '', ...lines] = text.split('\n')
    return [title.replaceAll('`', ''), lines.join('\n')]
  }),
)
const COMMANDS = COMMAND_TREE.flatMap((node) => listCommands(node, ''))
/** Their flags are those of configuration.md. */
const TIERS = ['server', 'api', 'executor']
/** Commands that are explained with another one. */
const TOGETHER: Record<string, string> = {
  'pipeline unpause': 'pipeline pause',
  'pipeline schedule unpause': 'pipeline schedule pause',
  'gate reject': 'gate approve',
  features: 'drivers',
}

function listCommands(node: CommandNode, above: string): [words: string, spec: CommandSpec][] {
  const words = `${above}${node.name}`
  if (!isGroup(node)) return [[words, node]]
  return node.commands.flatMap((below) => listCommands(below, `${words} `))
}

function sectionOf(words: string, { operands }: CommandSpec): string {
  const title = [TOGETHER[words] ?? words, operands].filter(Boolean).join(' ')
  const section = SECTIONS.get(title)
  assert(section !== undefined, `docs/cli.md has no section "${title}"`)
  return section
}

/** The flags of a section's tables, by their long names; the cells as they are. */
function rowsOf(section: string): Map<string, string> {
  const rows = section.split('\n').filter((line) => line.startsWith('| `-'))
  return new Map(rows.map((row) => [/`--([\w-]+)`/.exec(row)?.[1] ?? row, row]))
}

describe('docs/cli.md', () => {
  it('begins with every command', () => {
    const [, list = ''] = /```\n([^]*?)```/.exec(DOCS) ?? []
    const listed = list
      .split('\n')
      .filter((line) => line.startsWith('pocketci '))
      .flatMap((line) => {
        const [words = ''] = line.slice('pocketci '.length).split(/ {2,}| [<[]/)
        const [, group = '', names = words] =
          /^(pipeline (?:schedule )?|run |gate )?(.*)$/.exec(words) ?? []
        return names.split(/ ?\| ?/).map((name) => group + name.trim())
      })
    assert.deepEqual(new Set(listed), new Set(COMMANDS.map(([words]) => words)))
  })

  for (const [words, spec] of COMMANDS.filter(([words]) => !TIERS.includes(words)))
    it(`explains ${words} with all its flags`, () => {
      const section = sectionOf(words, spec)
      const rows = rowsOf(section)
      const isList = 'per-page' in spec.flags
      const elsewhere = {
        ...CONNECTION_FLAGS,
        ...GLOBAL_FLAGS,
        ...(isList ? listFlags('0') : {}),
        ...(words === 'doctor' ? SERVER_FLAGS : {}),
      }
      if (isList) assert.match(section, /the flags of \[lists\]/)
      for (const [name, flag] of Object.entries(spec.flags)) {
        if (name in elsewhere) continue
        const row = rows.get(name)
        if (row === undefined) {
          // in words: what is refused, and what another page explains
          const prefix = /^(hetzner|digitalocean|fly|k8s|qemu|sandbox)-/.exec(name)?.[0]
          const isNamed = section.includes(`--${name}`) || section.includes(`--${prefix ?? name}…`)
          assert(isNamed, `nothing about --${name}`)
          assert(flag.later !== undefined || name in SERVER_FLAGS || name in OUTPUT_FLAGS, name)
          continue
        }
        if (flag.short) assert(row.includes(`\`-${flag.short}\``), `-${flag.short} of --${name}`)
        if (flag.env) assert(row.includes(`\`${flag.env}\``), `${flag.env} of --${name}`)
      }
      for (const name of rows.keys()) assert(name in spec.flags, `${words} has no --${name}`)
      if (spec.alias) assert(section.includes(`\`${spec.alias}\``), `its other name ${spec.alias}`)
    })

  it('explains the flags that commands share', () => {
    for (const [title, table] of [
      ['Connection', CONNECTION_FLAGS],
      ['Output', OUTPUT_FLAGS],
      ['Lists', listFlags('0')],
    ] as const) {
      const rows = rowsOf(SECTIONS.get(title) ?? '')
      const own = Object.keys(table).filter((name) => title === 'Output' || !(name in OUTPUT_FLAGS))
      assert.deepEqual([...rows.keys()].sort(), own.sort())
      for (const [name, flag] of Object.entries(table)) {
        const row = rows.get(name) ?? ''
        if (row && 'short' in flag) assert(row.includes(`\`-${flag.short}\``), name)
        if (row && 'env' in flag) assert(row.includes(`\`${flag.env}\``), name)
      }
    }
  })
})
