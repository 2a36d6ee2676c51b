import { callbackify } from 'node:util'
import { Strategy } from 'passport-gitlab2'
import { z } from 'zod'
import type { Config } from '../../../shared/config/config.js'
import type { Profile } from '../../../shared/db/users.js'
import { fetchJson } from './fetch-pages.js'
import type { Provider, ProviderClient } from './provider.js'

const profileSchema = z.object({
  id: z.string(),
  username: z.string().default(''),
  displayName: z.string().nullish(),
  avatarUrl: z.string().nullish(),
  _json: z.looseObject({ email: z.string().nullish(), confirmed_at: z.string().nullish() }),
})
/** All groups at once: the list of the API comes in pages, but needs the right to read everything. */
const userinfoSchema = z.object({ groups: z.array(z.string()).default([]) })

/** gitlab.com, or an instance at another URL. */
export function createGitlabProvider(
  client: ProviderClient,
  { url }: NonNullable<Config['auth']['oauth']>['gitlab'] & object,
): Provider {
  return {
    name: 'gitlab',
    title: 'GitLab',
    createStrategy: () =>
      new Strategy(
        {
          clientID: client.clientId,
          clientSecret: client.clientSecret,
          callbackURL: client.callbackUrl,
          // without the slash the last part of its path would be lost
          baseURL: `${url}/`,
          scope: ['read_user', 'openid', 'profile', 'email'],
          scopeSeparator: ' ',
          state: true,
          pkce: true,
        },
        (accessToken: string, _refresh: string, profile: unknown, done: Done) => {
          callbackify(() => toProfile(url, accessToken, profile))(done)
        },
      ),
  }
}

type Done = (error: unknown, user?: Profile) => void

async function toProfile(url: string, accessToken: string, given: unknown): Promise<Profile> {
  const { id, username, displayName, avatarUrl, _json: json } = profileSchema.parse(given)
  const { groups } = await fetchJson(`${url}/oauth/userinfo`, accessToken, userinfoSchema)
  return {
    provider: 'gitlab',
    userId: id,
    // somebody may have given any address that was never confirmed
    email: json.confirmed_at ? (json.email ?? '') : '',
    name: displayName ?? '',
    nickName: username,
    avatarUrl: avatarUrl ?? '',
    organizations: [],
    groups,
    rawData: json,
  }
}
