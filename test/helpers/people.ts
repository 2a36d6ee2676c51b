import type { TestContext } from 'node:test'
import type { Scope } from '../../src/shared/contract/scopes.js'
import { createTokens } from '../../src/shared/db/tokens.js'
import { createUsers } from '../../src/shared/db/users.js'
import { hashToken } from '../../src/shared/random-token.js'
import { startTestApi, type Answer, type TestApi, type TestApiOptions } from './api.js'

/** The flags of a server where people sign in; nobody goes to the provider. */
export const OAUTH_FLAGS = {
  'oauth-github-client-id': ['id'],
  'oauth-github-client-secret': ['secret'],
  'oauth-session-secret': ['0123456789abcdef0123456789abcdef'],
  'oauth-callback-url': ['http://127.0.0.1:1'],
}

export interface Person {
  email: string
  organizations?: string[]
  /** Of their token; null: all that they may do. */
  scopes?: Scope[] | null
  expiresAt?: number
}

/** An api where people have signed in before: each has a token. */
export interface PeopleApi extends TestApi {
  /** Adds somebody and answers the headers of their requests. */
  add(person: Person): Record<string, string>
  as(headers: Record<string, string>, method: string, path: string, body?: unknown): Promise<Answer>
}

export async function startPeopleApi(
  t: Pick<TestContext, 'after'>,
  { flags, ...options }: TestApiOptions = {},
): Promise<PeopleApi> {
  const api = await startTestApi(t, { ...options, flags: { ...OAUTH_FLAGS, ...flags } })
  const [users, tokens] = [createUsers(api.db), createTokens(api.db)]
  let count = 0
  return {
    ...api,
    add({ email, organizations = [], scopes = null, expiresAt = Date.now() + 3_600_000 }) {
      const text = `pci_${email}-${++count}`
      const id = users.upsert(
        {
          ...{ provider: 'github', userId: email, email, name: '', nickName: '', avatarUrl: '' },
          ...{ organizations, groups: [], rawData: {} },
        },
        Date.now(),
      )
      tokens.insert({
        ...{ id: text, kind: 'api', owner: { kind: 'user', id }, name: 'test', scopes },
        ...{ createdAt: 0, expiresAt, tokenHash: hashToken(text) },
      })
      return { authorization: `Bearer ${text}` }
    },
    as: (headers, method, path, body) => api.call(method, path, body, headers),
  }
}
