/** What is used of packages that come without types. */
declare module 'passport-gitlab2' {
  import type { Strategy as Base } from 'passport'
  import type { StrategyOptions, VerifyFunction } from 'passport-oauth2'

  export class Strategy implements Base {
    authenticate: Base['authenticate']
    constructor(
      options: Partial<StrategyOptions> & {
        clientID: string
        clientSecret: string
        callbackURL: string
        baseURL: string
      },
      verify: VerifyFunction,
    )
  }
}

declare module 'passport-azure-ad' {
  import type { Strategy } from 'passport'

  type Done = (error: unknown, user?: unknown) => void

  export interface OIDCOptions {
    identityMetadata: string
    clientID: string
    clientSecret: string
    responseType: 'code'
    responseMode: 'query'
    redirectUrl: string
    allowHttpForRedirectUrl: boolean
    validateIssuer: boolean
    scope: string[]
    sessionKey: string
    nonceLifetime: number
    loggingLevel: 'error'
  }

  export class OIDCStrategy implements Strategy {
    authenticate: Strategy['authenticate']
    constructor(
      options: OIDCOptions,
      verify: (
        iss: string,
        sub: string,
        profile: { _json: unknown },
        accessToken: string,
        refreshToken: string,
        done: Done,
      ) => void,
    )
  }
}
