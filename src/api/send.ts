import type { Request, Response } from 'express'
import { idOf } from './middleware/request-id.js'

/** Answers with JSON; no charset, as the wire has it. */
export function sendJson(response: Response, status: number, body: unknown): void {
  response.statusCode = status
  response.setHeader('Content-Type', 'application/json')
  response.end(JSON.stringify(body))
}

/**
 * Answers with an error. The text is there under both names that clients look for; all values are
 * strings unless `more` has others.
 */
export function sendError(
  request: Request,
  response: Response,
  status: number,
  code: string,
  text: string,
  more: Readonly<Record<string, unknown>> = {},
): void {
  const body = { error: text, message: text, code, request_id: idOf(request), ...more }
  sendJson(response, status, body)
}

export function sendText(response: Response, status: number, text: string): void {
  response.statusCode = status
  response.setHeader('Content-Type', 'text/plain; charset=UTF-8')
  response.end(text)
}

export function sendHtml(response: Response, status: number, html: string): void {
  response.statusCode = status
  response.setHeader('Content-Type', 'text/html; charset=UTF-8')
  response.end(html)
}

/** Sends a browser elsewhere; 303 turns a POST into a GET. */
export function redirect(response: Response, status: 301 | 302 | 303, path: string): void {
  response.statusCode = status
  response.setHeader('Location', path)
  response.end()
}
