import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isFromFork } from '../../../src/shared/webhooks/is-from-fork.js'

const github = (head: unknown, base: unknown) => ({ pull_request: { head, base } })
const CASES: [what: string, payload: Record<string, unknown> | null, isFork: boolean][] = [
  ['no object', null, false],
  ['a push', { ref: 'refs/heads/main', repository: { id: 1 } }, false],
  ['a branch of the repository', github({ repo: { id: 1 } }, { repo: { id: 1 } }), false],
  ['a fork', github({ repo: { id: 2 } }, { repo: { id: 1 } }), true],
  ['a fork that is gone', github({ repo: null }, { repo: { id: 1 } }), true],
  ['a fork without a head', { pull_request: { base: { repo: { id: 1 } } } }, true],
  [
    'a merge request of GitLab',
    { object_attributes: { source_project_id: 1, target_project_id: 1 } },
    false,
  ],
  ['one from a fork', { object_attributes: { source_project_id: 2, target_project_id: 1 } }, true],
  [
    'a note on one from a fork',
    { object_attributes: {}, merge_request: { source_project_id: 2, target_project_id: 1 } },
    true,
  ],
  [
    'Bitbucket',
    {
      pullrequest: {
        source: { repository: { uuid: '{a}' } },
        destination: { repository: { uuid: '{b}' } },
      },
    },
    true,
  ],
  [
    'a server of Bitbucket',
    { pullRequest: { fromRef: { repository: { id: 7 } }, toRef: { repository: { id: 7 } } } },
    false,
  ],
]
for (const [what, payload, isFork] of CASES)
  test(`${what}: ${isFork}`, () => assert.equal(isFromFork(payload), isFork))
