import Database from 'better-sqlite3'
import { errorMessage } from '../../errors.js'
import { fail, ok, type Finding } from './finding.js'

/** Node and the one native package. On a Node that is too old the command does not get this far. */
export function checkRuntime(): Finding[] {
  const node = ok('node', `Node.js ${process.versions.node} at ${process.execPath}`)
  try {
    const db = new Database(':memory:')
    const version = String(db.prepare('select sqlite_version()').pluck().get())
    db.close()
    return [node, ok('sqlite', `SQLite ${version}`)]
  } catch (error) {
    const advice = `install pocketci again with this Node.js (better-sqlite3 has prebuilt binaries for Linux, macOS and Windows)`
    return [node, fail('sqlite', `SQLite cannot be loaded: ${errorMessage(error)}`, advice)]
  }
}
