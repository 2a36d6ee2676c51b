import { fileURLToPath } from 'node:url'

const ROOT = new URL('../../../', import.meta.url)

/** The absolute path of something in the repository; tests run from its dist/ folder. */
export function repoPath(path: string): string {
  return fileURLToPath(new URL(path, ROOT))
}

/** The built command line. */
export const BIN = repoPath('dist/src/shared/cli/bin.js')
