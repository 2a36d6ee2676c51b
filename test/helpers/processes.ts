import { readFileSync } from 'node:fs'
import { childrenOf, type TestServer } from './server.js'

export interface Tier {
  name: string
  pid: number
}

/** The supervisor and its tiers, by the titles that they give themselves. */
export async function tiersOf(server: TestServer): Promise<Tier[]> {
  const pids = [server.child.pid ?? 0, ...(await childrenOf(server.child.pid ?? 0))]
  return pids.map((pid) => ({ pid, name: titleOf(pid) }))
}

function titleOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0]?.trim() ?? String(pid)
  } catch {
    return String(pid) // it has just ended
  }
}

/** Resident memory in bytes. */
export function rssOf(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kib) * 1_024
}

/** CPU time used so far, in milliseconds; the kernel counts in hundredths of a second. */
export function cpuMsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}
