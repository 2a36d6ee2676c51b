import { readdirSync } from 'node:fs'
import type { OwnedThing } from '../owned-thing.js'
import { layoutOf } from './layout.js'
import { listStepMarkers } from './processes.js'
import { readInstance } from './run-folder.js'

/** What drivers call the namespace of a run; other folders of the root are nobody's concern. */
const NAMESPACE = /^ci-([A-Za-z0-9_-]+)$/

/** The workspaces below a root, and the processes of this host, of an instance's runs. */
export function listNativeThings(root: string, instance: string): OwnedThing[] {
  const workspaces = namesIn(root).flatMap((name): OwnedThing[] => {
    const [, runId] = NAMESPACE.exec(name) ?? []
    if (runId === undefined) return []
    const layout = layoutOf(root, name)
    return readInstance(layout) === instance ? [{ runId, kind: 'workspace', name: layout.dir }] : []
  })
  const processes = [...listStepMarkers(instance)].flatMap((marker): OwnedThing[] => {
    const [namespace = ''] = marker.split('/')
    const [, runId] = NAMESPACE.exec(namespace) ?? []
    return runId === undefined ? [] : [{ runId, kind: 'processes', name: marker }]
  })
  return [...workspaces, ...processes]
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [] // nothing was ever made
    throw error
  }
}
