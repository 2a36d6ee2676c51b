import { parseDeclarations, type InputDeclarations } from '../contract/inputs.js'
import type { Db } from './open.js'

/** The SQL of the column `inputs` of table `pipelines`. */
export function createPipelineInputs(db: Db) {
  const find = db.prepare<[string], string>('select inputs from pipelines where id = ?').pluck()
  const set = db.prepare<[string, string]>('update pipelines set inputs = ? where id = ?')
  return {
    /** What the runs of a pipeline may be given; nothing of one that is not there. */
    find: (pipelineId: string): InputDeclarations =>
      parseDeclarations(JSON.parse(find.get(pipelineId) ?? '{}')),

    set: (pipelineId: string, inputs: InputDeclarations): void =>
      void set.run(JSON.stringify(inputs), pipelineId),
  }
}

export type PipelineInputs = ReturnType<typeof createPipelineInputs>
