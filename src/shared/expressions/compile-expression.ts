import { createCompiler, expectResult } from './compile-node.js'
import type { Compiled } from './compiled.js'
import { copyValue, textOf } from './export-value.js'
import { Fault, reportFaults } from '../source-fault.js'
import type { Frame } from './frame.js'
import { LIMITS } from './limits.js'
import { parse } from './parse.js'
import { asBool, type ValueType } from './value-type.js'
import { admit, type Dict } from './values.js'

/** What a variable of the environment is. `texts` and `headers` have '' for a missing key. */
export type VariableType = Exclude<ValueType, 'nil'>

/** What an expression gives: true or false, a text (of any value), or a copy of any value. */
export interface ResultTypes {
  bool: boolean
  string: string
  any: unknown
}

export interface Expression<Result> {
  /**
   * Keeps nothing between calls. The environment is plain data: a function, class instance, getter or
   * Proxy in it is a fault where the expression meets it. Throws expression_failed.
   */
  evaluate(env: Readonly<Record<string, unknown>>): Result
}

export interface ExpressionOptions<Kind extends keyof ResultTypes> {
  /** Every name that the expression may use. */
  variables: Readonly<Record<string, VariableType>>
  result: Kind
  /** What one evaluation may cost, where that is less than LIMITS.steps. */
  steps?: number
}

/**
 * Compiles an expression of docs/expressions.md. Throws expression_invalid; `details` of both errors
 * are `line` and `column` from 1, and `reason`.
 */
export function compileExpression<Kind extends keyof ResultTypes>(
  source: string,
  { variables, result, steps = LIMITS.steps }: ExpressionOptions<Kind>,
): Expression<ResultTypes[Kind]> {
  const root = reportFaults(source, 'expression_invalid', () => compile(source, variables, result))
  return {
    evaluate: (env) =>
      reportFaults(source, 'expression_failed', () => {
        const frame: Frame = { env: admit(env, 0) as Dict, slots: [], stepsLeft: steps }
        return evaluators[result](frame, root)
      }),
  }
}

function compile(
  source: string,
  variables: Readonly<Record<string, VariableType>>,
  result: keyof ResultTypes,
): Compiled {
  if (source.length > LIMITS.sourceChars)
    throw new Fault(0, `the expression is longer than ${LIMITS.sourceChars} characters`)
  const compiler = createCompiler(new Map(Object.entries(variables)))
  const root = compiler.compile(parse(source), { lets: new Map(), pointers: new Map() })
  expectResult(root, result)
  return root
}

const evaluators: {
  [Kind in keyof ResultTypes]: (frame: Frame, root: Compiled) => ResultTypes[Kind]
} = {
  bool: (frame, root) => asBool(root.run(frame), root.at),
  string: (frame, root) => textOf(frame, root.run(frame), root.at),
  any: (frame, root) => copyValue(frame, root.run(frame), root.at),
}
