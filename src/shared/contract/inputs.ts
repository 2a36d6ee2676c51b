import { z } from 'zod'
import { AppError } from '../errors.js'
import { describeIssue } from './describe-issue.js'

/** Longest text of a value. */
const MAX_CHARS = 4_096
const MAX_INPUTS = 50
const MAX_CHOICES = 100

const text = z.string().max(MAX_CHARS)
const shared = { required: z.boolean().optional(), description: text.optional() }

const declarationSchema = z
  .discriminatedUnion('type', [
    z.strictObject({ type: z.literal('string'), default: text.optional(), ...shared }),
    z.strictObject({ type: z.literal('number'), default: z.number().optional(), ...shared }),
    z.strictObject({ type: z.literal('boolean'), default: z.boolean().optional(), ...shared }),
    z.strictObject({
      type: z.literal('choice'),
      choices: z.array(text.min(1)).min(1).max(MAX_CHOICES),
      default: text.optional(),
      ...shared,
    }),
  ])
  .superRefine((input, context) => {
    if (input.required === true && input.default !== undefined)
      context.addIssue({ code: 'custom', path: ['default'], message: 'a required input has none' })
    if (input.type !== 'choice') return
    if (new Set(input.choices).size < input.choices.length)
      context.addIssue({ code: 'custom', path: ['choices'], message: 'one is there twice' })
    if (input.default !== undefined && !input.choices.includes(input.default))
      context.addIssue({
        code: 'custom',
        path: ['default'],
        message: 'it is not one of the choices',
      })
  })

const declarationsSchema = z
  .record(
    z
      .string()
      .regex(
        /^[A-Za-z][\w-]{0,63}$/,
        'a name begins with a letter and has letters, digits, _ and -',
      ),
    declarationSchema,
  )
  .refine((inputs) => Object.keys(inputs).length <= MAX_INPUTS, `at most ${MAX_INPUTS} inputs`)

/** One input of a pipeline, as its `inputs` export declares it. */
export type InputDeclaration = z.infer<typeof declarationSchema>
export type InputDeclarations = Record<string, InputDeclaration>

export const inputValueSchema = z.union([z.string(), z.number(), z.boolean()])
export type InputValue = z.infer<typeof inputValueSchema>

/** Values as clients send them: numbers and booleans may be texts. */
export const givenInputsSchema = z
  .record(z.string().max(64), z.union([text, z.number(), z.boolean()]))
  .refine((inputs) => Object.keys(inputs).length <= MAX_INPUTS, `at most ${MAX_INPUTS} inputs`)
export type GivenInputs = z.infer<typeof givenInputsSchema>

/** Checks a declaration; `pipeline_invalid` names the input that is wrong. */
export function parseDeclarations(value: unknown): InputDeclarations {
  const result = declarationsSchema.safeParse(value)
  if (result.success) return result.data
  throw new AppError('pipeline_invalid', describeIssue('inputs', result.error))
}

/**
 * What a run gets: the given values, and the defaults of the others. Throws `request_invalid` for
 * what is missing, unknown, or not of its type.
 */
export function resolveInputs(
  declared: InputDeclarations,
  given: GivenInputs,
): Record<string, InputValue> {
  const names = Object.keys(declared)
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(declared, name))
  if (unknown !== undefined)
    throw invalid(
      unknown,
      names.length === 0
        ? 'the pipeline declares no inputs'
        : `there is no such input; there are: ${names.join(', ')}`,
    )
  return Object.fromEntries(
    Object.entries(declared).flatMap(([name, input]): [string, InputValue][] => {
      const value = Object.hasOwn(given, name) ? given[name] : undefined
      if (value !== undefined) return [[name, convert(name, input, value)]]
      if (input.required === true) throw invalid(name, 'it is required')
      return input.default === undefined ? [] : [[name, input.default]]
    }),
  )
}

/** What a run gets that was accepted before and is given nothing. */
export function defaultInputs(declared: InputDeclarations): Record<string, InputValue> {
  return Object.fromEntries(
    Object.entries(declared).flatMap(([name, input]): [string, InputValue][] =>
      input.default === undefined ? [] : [[name, input.default]],
    ),
  )
}

function convert(name: string, input: InputDeclaration, value: InputValue): InputValue {
  switch (input.type) {
    case 'string':
      if (typeof value === 'string') return value
      throw mismatch(name, 'a string', value)
    case 'number': {
      const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
      if (typeof number === 'number' && Number.isFinite(number)) return number
      throw mismatch(name, 'a number', value)
    }
    case 'boolean':
      if (typeof value === 'boolean') return value
      if (value === 'true' || value === 'false') return value === 'true'
      throw mismatch(name, 'true or false', value)
    case 'choice':
      if (typeof value === 'string' && input.choices.includes(value)) return value
      throw mismatch(name, `one of ${input.choices.join(', ')}`, value)
  }
}

function mismatch(name: string, expected: string, value: InputValue): AppError {
  const got = JSON.stringify(typeof value === 'string' ? value.slice(0, 100) : value)
  return invalid(name, `expected ${expected}, got ${got}`)
}

function invalid(name: string, reason: string): AppError {
  return new AppError('request_invalid', `inputs.${name}: ${reason}`)
}
