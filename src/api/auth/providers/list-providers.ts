import type { Config } from '../../../shared/config/config.js'
import { createGithubProvider } from './github.js'
import { createGitlabProvider } from './gitlab.js'
import { createMicrosoftProvider } from './microsoft.js'
import type { Provider, ProviderClient } from './provider.js'

/** The providers that are set up, in the order of the sign-in page. */
export function listProviders(
  { github, gitlab, microsoft, callbackUrl }: NonNullable<Config['auth']['oauth']>,
  now: () => number,
): Provider[] {
  const clientOf = (
    { clientId, clientSecret }: { clientId: string; clientSecret: string },
    name: Provider['name'],
  ): ProviderClient => ({
    ...{ clientId, clientSecret },
    callbackUrl: `${callbackUrl}/auth/${name}/callback`,
  })
  return [
    ...(github ? [createGithubProvider(clientOf(github, 'github'), github)] : []),
    ...(gitlab ? [createGitlabProvider(clientOf(gitlab, 'gitlab'), gitlab)] : []),
    ...(microsoft
      ? [createMicrosoftProvider(clientOf(microsoft, 'microsoftonline'), microsoft, now)]
      : []),
  ]
}
