import {
  freeze,
  getOwnPropertyDescriptor,
  MapIntrinsic,
  mapGet,
  mapSet,
  ownKeys,
  ProxyIntrinsic,
  reflectGet,
  toLowerCase,
} from './intrinsics.js'
import { listOf, type Host } from './host.js'
import { argsOf } from './tasks.js'

interface Request {
  headers: Record<string, string>
  query: object
}

/** The `http` global: the webhook that started the run. */
export function createHttp(host: Host) {
  let request: object | undefined
  return freeze({
    request(): object | undefined {
      if (request) return request
      // written by the host
      const event = host.callSync('http.request', '[]') as Request | undefined
      if (!event) return undefined
      event.headers = inAnyCase(event.headers)
      freeze(event.query)
      request = freeze(event)
      return request
    },

    respond(response: unknown): void {
      const given = response === undefined ? {} : response
      host.callSync(
        'http.respond',
        argsOf('http.respond', () => listOf(given)),
      )
    },
  })
}

/** The functions that evaluate expressions over the webhook. */
export function createWebhookFunctions(host: Host) {
  return freeze({
    trigger: freeze((expression: unknown) => host.callSync('webhook.trigger', listOf(expression))),
    params: freeze((expressions: unknown) =>
      host.callSync(
        'webhook.params',
        argsOf('webhookParams', () => listOf(expressions)),
      ),
    ),
    dedup: freeze((expression: unknown) => host.callSync('webhook.dedup', listOf(expression))),
  })
}

/** Names of headers have no case: `headers['x-github-event']` finds `X-Github-Event`. */
function inAnyCase(headers: Record<string, string>): Record<string, string> {
  const names = new MapIntrinsic<unknown, unknown>()
  const keys = ownKeys(headers)
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index] as string
    mapSet(names, toLowerCase(key), headers[key])
  }
  return new ProxyIntrinsic(freeze(headers), {
    __proto__: null,
    get(target: object, key: string | symbol): unknown {
      if (typeof key === 'symbol' || getOwnPropertyDescriptor(target, key))
        return reflectGet(target, key)
      const found = mapGet(names, toLowerCase(key))
      return found === undefined ? reflectGet(target, key) : found
    },
  } as ProxyHandler<Record<string, string>>)
}
