/**
 * Whether an event is about a change that somebody proposes from a repository of their own: a pull request of
 * GitHub or Bitbucket, or a merge request of GitLab, whose two ends are not the same repository. Also
 * when the repository that it came from is gone.
 */
export function isFromFork(payload: Readonly<Record<string, unknown>> | null): boolean {
  return ENDS.some(([from, to]) => {
    const target = at(payload, to)
    return target !== undefined && at(payload, from) !== target
  })
}

/** Where providers say which repositories a request is between. */
const ENDS: readonly (readonly [from: string, to: string])[] = [
  ['pull_request.head.repo.id', 'pull_request.base.repo.id'],
  ['object_attributes.source_project_id', 'object_attributes.target_project_id'],
  ['merge_request.source_project_id', 'merge_request.target_project_id'],
  ['pullrequest.source.repository.uuid', 'pullrequest.destination.repository.uuid'],
  ['pullRequest.fromRef.repository.id', 'pullRequest.toRef.repository.id'],
]

/** Undefined: there is no number or text. */
function at(value: unknown, path: string): number | string | undefined {
  let found = value
  for (const key of path.split('.')) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined
    found = (found as Record<string, unknown>)[key]
  }
  return typeof found === 'number' || typeof found === 'string' ? found : undefined
}
