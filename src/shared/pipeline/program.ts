import type { InputDeclarations } from '../contract/inputs.js'

/**
 * A compiled pipeline, as it is stored. `code` is one JavaScript expression: a function of
 * `(module, exports)` that leaves the pipeline in `module.exports.pipeline`.
 */
export interface Program {
  code: string
  /** JSON text of the source map that leads from `code` to the author's file. */
  sourceMap: string
}

/** A program with what its file says about its runs. */
export interface CompiledPipeline extends Program {
  inputs: InputDeclarations
  /** It may call `http.respond`; when not, nobody has to wait for that. */
  mayRespond: boolean
}
