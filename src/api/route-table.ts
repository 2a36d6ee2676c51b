import type { Express, Request, Response } from 'express'
import { AppError, hasCode } from '../shared/errors.js'
import { limitBodyTime } from './body-time.js'
import type { Action, Actor, Authorize, Resource } from '../shared/authorize.js'
import type { Access } from './auth/access.js'
import type { Audit } from './auth/audit.js'
import { checkDeclaredLength } from './request-body.js'
import { sendError } from './send.js'

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE' | 'OPTIONS'

export type Handler = (request: Request, response: Response) => void | Promise<void>

export interface RouteOptions {
  action: Action
  /** The server, or what a path parameter names. */
  resource: 'server' | { kind: 'pipeline' | 'run' | 'gate' | 'schedule'; param: string }
  /** The handler limits size and time of the body; otherwise a declared length over the limit is refused. */
  limitsOwnBody?: boolean
  /** In place of how other routes find out who asks. */
  access?: Access | undefined
}

export interface Route extends RouteOptions {
  method: Method
  path: string
}

/** All routes of the api. None gets in without saying what it does to what. */
export interface RouteTable {
  route: (method: Method, path: string, options: RouteOptions, handler: Handler) => void
  listRoutes: () => Route[]
  /** Puts them into an app, once. */
  mount: (app: Express, options: MountOptions) => void
}

export interface MountOptions {
  access: Access
  authorize: Authorize
  audit: Audit
  maxBodyBytes: number
}

export function createRouteTable(): RouteTable {
  const routes: (Route & { handler: Handler })[] = []

  return {
    route: (method, path, options, handler) =>
      void routes.push({ method, path, ...options, handler }),

    listRoutes: () => routes.map(({ handler: _handler, ...route }) => route),

    mount(app, { access, authorize, audit, maxBodyBytes }) {
      const shapes = Map.groupBy(routes, ({ path }) => shapeOf(path))
      for (const [path, methods] of Map.groupBy(routes, (route) => route.path)) {
        const siblings = shapes.get(shapeOf(path)) ?? methods
        const allow = siblings.map(({ method }) => method).join(', ')
        app.all(path, async (request, response, next) => {
          const route = methods.find(({ method }) => method === request.method)
          if (!route && siblings.some(({ method }) => method === request.method)) return next()
          if (!route?.limitsOwnBody) limitBodyTime(request, response)
          if (!route) return answerOther(request, response, allow)
          const door = route.access ?? access
          if (route.action !== 'public') {
            const actor = await identify(request, response, { access: door, audit })
            if (actor.kind === 'anonymous' && door.challenge)
              return door.challenge(request, response)
            request.actor = actor
          }
          const resource = resourceOf(route, request)
          const reason = authorize(actorOf(request), route.action, resource)
          if (reason !== undefined) {
            audit.deny(request, { action: route.action, resource, details: { reason } })
            throw new AppError('access_denied', reason)
          }
          if (!route.limitsOwnBody) checkDeclaredLength(request, maxBodyBytes)
          await route.handler(request, response)
        })
      }
    },
  }
}

/** As access does; credentials that are no good are written down. */
async function identify(
  request: Request,
  response: Response,
  { access, audit }: Pick<MountOptions, 'access' | 'audit'>,
): Promise<Actor> {
  try {
    return await access.identify(request, response)
  } catch (error) {
    if (hasCode(error, 'authentication_failed')) audit.deny(request, { action: 'auth.login' })
    throw error
  }
}

/** What a path matches: parameters of other names at the same places match the same. */
function shapeOf(path: string): string {
  return path.replaceAll(/:\w+/g, ':')
}

declare module 'express-serve-static-core' {
  interface Request {
    /** Who sends it; set before its handler is called, unless its route is public. */
    actor?: Actor
  }
}

/** Who sends a request. */
export function actorOf({ actor = { kind: 'anonymous' } }: Request): Actor {
  return actor
}

/** A path parameter, decoded. */
export function pathParam(request: Request, name: string): string {
  const value = request.params[name]
  if (typeof value !== 'string') throw new Error(`the route has no parameter ${name}`)
  return value
}

/** The query, of which a repeated name counts once: use `get`. */
export function queryOf(request: Request): URLSearchParams {
  const at = request.url.indexOf('?')
  return new URLSearchParams(at < 0 ? '' : request.url.slice(at))
}

function resourceOf({ resource }: Route, request: Request): Resource {
  if (resource === 'server') return { kind: 'server' }
  return { kind: resource.kind, key: pathParam(request, resource.param) }
}

function answerOther(request: Request, response: Response, allow: string): void {
  response.setHeader('Allow', allow)
  if (request.method === 'OPTIONS') response.status(204).end()
  else sendError(request, response, 405, 'method_not_allowed', 'Method Not Allowed')
}
