import type { CallToolResult, Tool as ToolListing } from '@modelcontextprotocol/sdk/types.js'
import type { Request } from 'express'
import { z } from 'zod'
import type { Action, Resource } from '../../shared/authorize.js'
import { AppError } from '../../shared/errors.js'
import type { ApiContext } from '../context.js'
import { actorOf } from '../route-table.js'
import { parseArguments } from './tool-input.js'

/** What a call has besides its arguments. */
export interface ToolCall {
  context: ApiContext
  /** It says who calls. */
  request: Request
  /** Aborts: nobody waits for the answer, or the server closes. */
  signal: AbortSignal
}

export interface ToolAnswer {
  /** Sent as JSON text, in the shape that clients of other servers know. */
  json: unknown
  /** The same as an object; left out: `json` is one. */
  structured?: Record<string, unknown>
  /** Tells the model what was left out and how to get it. */
  note?: string | undefined
}

export interface ToolOptions<Input> {
  name: string
  title: string
  description: string
  /** A strict object. */
  input: z.ZodType<Input>
  /** What it does to what: asked of the same policy as routes. */
  action: Action
  resource: (input: Input) => Resource
  /** `reads` changes nothing; `ends` takes something away that does not come back. */
  effect: 'reads' | 'adds' | 'ends'
  run: (call: ToolCall, input: Input) => ToolAnswer | Promise<ToolAnswer>
}

export interface Tool {
  name: string
  action: Action
  listing: ToolListing
  /** Throws an AppError for arguments that are no good, what is not allowed and what does not work. */
  call: (call: ToolCall, args: unknown) => Promise<CallToolResult>
}

/** A tool with its arguments checked and whoever calls it authorised. */
export function defineTool<Input>(options: ToolOptions<Input>): Tool {
  const { name, title, description, input, action, resource, effect, run } = options
  return {
    name,
    action,
    listing: {
      name,
      title,
      description,
      // zod types it as any schema; that of an object is an object's
      inputSchema: z.toJSONSchema(input, { io: 'input' }) as ToolListing['inputSchema'],
      annotations: {
        title,
        readOnlyHint: effect === 'reads',
        destructiveHint: effect === 'ends',
        openWorldHint: false,
      },
    },
    async call(call, args) {
      const { context, request } = call
      const given = parseArguments(input, args)
      const asked = resource(given)
      const reason = context.authorize(actorOf(request), action, asked)
      if (reason !== undefined) {
        context.audit.deny(request, { action, resource: asked, details: { reason } })
        throw new AppError('access_denied', reason)
      }
      return toResult(await run(call, given))
    },
  }
}

function toResult({ json, structured, note }: ToolAnswer): CallToolResult {
  const texts = [JSON.stringify(json), ...(note === undefined ? [] : [note])]
  return {
    content: texts.map((text) => ({ type: 'text', text })),
    // a tool without `structured` answers with an object
    structuredContent: structured ?? (json as Record<string, unknown>),
  }
}
