/** A token within `{{` and `}}`. */
export interface Token {
  kind: 'name' | 'field' | 'dot' | 'variable' | 'text' | 'number' | 'symbol' | 'end'
  /** Name, field without its dot, variable with its `$`, symbol; of a text its value. */
  text: string
  number?: number
  at: number
  /** No space before it: `.a.b` is one operand, `.a .b` are two. */
  isGlued: boolean
}

/** Text between actions, and actions. */
export type Piece = { kind: 'text'; text: string } | { kind: 'action'; at: number; tokens: Token[] }

export type Item =
  | { kind: 'text'; text: string }
  | { kind: 'action'; at: number; pipe: Pipe }
  | { kind: 'if'; at: number; pipe: Pipe; body: Item[]; otherwise: Item[] }
  | { kind: 'with'; at: number; pipe: Pipe; body: Item[]; otherwise: Item[] }
  | { kind: 'range'; at: number; pipe: Pipe; body: Item[]; otherwise: Item[] }
  | { kind: 'template'; at: number; name: string; pipe: Pipe | undefined }
  | { kind: 'break' }
  | { kind: 'continue' }

export interface Pipe {
  at: number
  /** Where the value goes; two for `range $index, $item := …`. */
  variables: number[]
  isDeclared: boolean
  commands: Command[]
}

/** An operand, or a function with its arguments. */
export type Command =
  | { kind: 'operand'; operand: Operand }
  | { kind: 'call'; at: number; name: string; args: Operand[] }

export type Operand = { at: number } & (
  | { kind: 'dot' }
  | { kind: 'nil' }
  | { kind: 'literal'; value: boolean | number | string }
  | { kind: 'variable'; slot: number }
  | { kind: 'pipe'; pipe: Pipe }
  | { kind: 'call'; name: string }
  /** `target.name` */
  | { kind: 'field'; target: Operand; name: string }
)

/** Bodies by name; '' is the template itself. */
export type Definitions = Map<string, Item[]>
