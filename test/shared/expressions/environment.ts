import type { VariableType } from '../../../src/shared/expressions/compile-expression.js'

/** The names that a webhook filter may use, and one of RBAC. */
export const VARIABLES: Readonly<Record<string, VariableType>> = {
  provider: 'string',
  eventType: 'string',
  method: 'string',
  body: 'string',
  headers: 'headers',
  query: 'texts',
  payload: 'map',
  Organizations: 'list',
}

export const ENV = {
  provider: 'github',
  eventType: 'push',
  method: 'POST',
  body: '{"a":1}',
  headers: {
    'X-Github-Event': 'push',
    'Content-Type': 'application/json',
  },
  query: {
    ref: 'main',
  },
  Organizations: ['acme', 'umbrella'],
  payload: {
    action: 'opened',
    ref: 'refs/heads/main',
    number: 42,
    draft: false,
    nothing: null,
    labels: ['bug', 'urgent', 'deploy'],
    pull_request: {
      number: 7,
      merged: true,
      user: {
        login: 'ann',
      },
    },
    commits: [
      {
        id: 'c1',
        message: 'fix: things',
        author: {
          name: 'ann',
        },
        files: ['a.ts'],
      },
      {
        id: 'c2',
        message: 'docs [deploy]',
        author: {
          name: 'bob',
        },
        files: ['b.md', 'c.ts'],
      },
    ],
  },
}
