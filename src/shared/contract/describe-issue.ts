import type { z } from 'zod'

/** The first thing that is wrong, with the path to it: `inputs.env.type: …`. */
export function describeIssue(root: string, { issues: [issue] }: z.ZodError): string {
  const path = [root, ...(issue?.path ?? [])].join('.')
  // the issue of a bad name says only that the key is invalid
  const inner = issue?.code === 'invalid_key' ? issue.issues[0]?.message : undefined
  return `${path}: ${inner ?? issue?.message ?? 'invalid'}`
}
