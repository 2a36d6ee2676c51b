import { callbackify } from 'node:util'
import { Strategy } from 'passport-github2'
import { z } from 'zod'
import type { Config } from '../../../shared/config/config.js'
import type { Profile } from '../../../shared/db/users.js'
import { fetchPages } from './fetch-pages.js'
import type { Provider, ProviderClient } from './provider.js'

const PER_PAGE = 100

const profileSchema = z.object({
  id: z.string(),
  username: z.string().default(''),
  displayName: z.string().nullish(),
  emails: z
    .array(
      z.object({
        value: z.string(),
        primary: z.boolean().default(false),
        verified: z.boolean().default(false),
      }),
    )
    .default([]),
  _json: z.looseObject({ avatar_url: z.string().nullish() }),
})
const orgsSchema = z.array(z.object({ login: z.string() }))

/** github.com, or a GitHub Enterprise Server at another URL. */
export function createGithubProvider(
  client: ProviderClient,
  { url }: NonNullable<Config['auth']['oauth']>['github'] & object,
): Provider {
  const apiUrl = url === 'https://github.com' ? 'https://api.github.com' : `${url}/api/v3`
  return {
    name: 'github',
    title: 'GitHub',
    createStrategy() {
      const options = {
        clientID: client.clientId,
        clientSecret: client.clientSecret,
        callbackURL: client.callbackUrl,
        authorizationURL: `${url}/login/oauth/authorize`,
        tokenURL: `${url}/login/oauth/access_token`,
        userProfileURL: `${apiUrl}/user`,
        userEmailURL: `${apiUrl}/user/emails`,
        scope: ['user:email', 'read:org'],
        scopeSeparator: ' ',
        userAgent: 'pocketci',
        // whether an address is verified is only in these
        allRawEmails: true,
        // any text: a random one is sent
        state: 'random',
        pkce: true,
      }
      const verify = (token: string, _refresh: string, profile: unknown, done: Done): void => {
        callbackify(() => toProfile(apiUrl, token, profile))(done)
      }
      return new Strategy(options, verify)
    },
  }
}

type Done = (error: unknown, user?: Profile) => void

async function toProfile(apiUrl: string, accessToken: string, given: unknown): Promise<Profile> {
  const { id, username, displayName, emails, _json: json } = profileSchema.parse(given)
  const organizations = await fetchPages(accessToken, {
    first: `${apiUrl}/user/orgs?per_page=${PER_PAGE}`,
    schema: orgsSchema,
    itemsOf: (page) => page.map(({ login }) => login),
    next: (page, at) =>
      page.length < PER_PAGE
        ? undefined
        : `${apiUrl}/user/orgs?per_page=${PER_PAGE}&page=${at + 1}`,
  })
  return {
    provider: 'github',
    userId: id,
    email: emails.find(({ primary, verified }) => primary && verified)?.value ?? '',
    name: displayName ?? '',
    nickName: username,
    avatarUrl: json.avatar_url ?? '',
    organizations,
    groups: [],
    rawData: json,
  }
}
