import type { InputDeclarations } from '../contract/inputs.js'
import type { DeclaredSchedules } from '../contract/schedules.js'

/**
 * A compiled pipeline, as it is stored. `code` is one JavaScript expression: a function of
 * `(module, exports)` that leaves the pipeline in `module.exports.pipeline`.
 */
export interface Program {
  code: string
  /** JSON text of the source map that leads from `code` to the author's file. */
  sourceMap: string
}

/** What a pipeline's file says about its runs. */
export interface PipelineDeclarations {
  inputs: InputDeclarations
  schedules: DeclaredSchedules
  /** It may call `http.respond`; when not, nobody has to wait for that. */
  mayRespond: boolean
}

export interface CompiledPipeline extends Program, PipelineDeclarations {}
