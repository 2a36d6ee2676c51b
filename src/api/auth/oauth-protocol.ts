import type { Response } from 'express'
import type { Scope } from '../../shared/contract/scopes.js'
import { sendJson } from '../send.js'

/** What MCP clients may be let in for; tokens and the audit log are for people. */
export const MCP_SCOPES = ['ci:read', 'ci:run', 'ci:approve', 'ci:write'] as const satisfies Scope[]
export type McpScope = (typeof MCP_SCOPES)[number]

/** Errors of RFC 6749, 7591 and 8707. */
export type OauthErrorName =
  | 'access_denied'
  | 'invalid_client'
  | 'invalid_client_metadata'
  | 'invalid_grant'
  | 'invalid_redirect_uri'
  | 'invalid_request'
  | 'invalid_scope'
  | 'invalid_target'
  | 'temporarily_unavailable'
  | 'unsupported_grant_type'
  | 'unsupported_response_type'

/** An expected end of an exchange, as its client is told. */
export interface OauthError {
  error: OauthErrorName
  description: string
}

export function sendOauthError(
  response: Response,
  status: number,
  { error, description }: OauthError,
): void {
  sendJson(response, status, { error, error_description: description })
}

/** Whether a client means this server: its address, or that of its MCP endpoint. */
export function isOwnResource(resource: string, baseUrl: string): boolean {
  const plain = resource.replace(/\/$/, '')
  return plain === baseUrl || plain === `${baseUrl}/mcp`
}
