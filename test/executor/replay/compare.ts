import type { TestRun } from '../../helpers/attempts.js'

/** Steps of a Promise.all are numbered in the order in which they come. */
export function comparable({ tasks, outputs }: Omit<ReturnType<TestRun['summary']>, 'lines'>) {
  return tasks
    .map(({ step: _step, path: _path, ...task }, at) => ({
      ...task,
      output: (outputs[at] ?? '').split('').sort().join(''),
    }))
    .sort((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)))
}

/** Names of what was started, each start once. */
export function startsOf({ machine }: TestRun): string[] {
  // a sandbox whose end is in doubt is opened again to be closed
  const starts = machine.starts.filter((id, at, all) => !isSandbox(id) || all.indexOf(id) === at)
  return starts.map(nameOf).sort()
}

function isSandbox(id: string): boolean {
  return /^\d+-box\d*-sandbox-[^/]*$/.test(id)
}

/** An id as it is in any run. */
export function nameOf(id: string): string {
  return id.replaceAll(/(^|\/)\d+-|-[0-9a-f]{8}(?=\/|$)/g, '$1')
}
