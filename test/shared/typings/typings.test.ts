import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { describe, it } from 'node:test'
import { repoPath } from '../../helpers/repo.js'

describe('the typings', () => {
  it('accept what works and refuse what does not', async () => {
    assert.equal(await compile('test/fixtures/typings/tsconfig.json'), '')
  })

  it('accept the examples', async () => {
    assert.equal(await compile('examples/tsconfig.json'), '')
  })

  it('go together with those of a browser and of Node', async () => {
    const options = ['--lib', 'es2023,dom', '--types', 'node', '--typeRoots', 'node_modules/@types']
    const text = await compile('examples/tsconfig.json', ...options)
    assert.equal(text, '')
  })
})

/** What the compiler has to say about a project; nothing when it is content. */
function compile(project: string, ...options: string[]): Promise<string> {
  return new Promise((resolve) => {
    const args = [repoPath('node_modules/typescript/bin/tsc'), '-p', repoPath(project), ...options]
    execFile(process.execPath, args, { cwd: repoPath('.') }, (_error, stdout, stderr) =>
      resolve(stdout + stderr),
    )
  })
}
