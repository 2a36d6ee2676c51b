/** What a token can be good for. */
export const SCOPES = ['ci:read', 'ci:run', 'ci:approve', 'ci:write', 'ci:admin'] as const
export type Scope = (typeof SCOPES)[number]
