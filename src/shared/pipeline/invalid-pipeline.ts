import { AppError } from '../errors.js'

/** A place in the author's file; lines and columns count from 1. */
export interface SourcePosition {
  file: string
  line: number
  column: number
}

/** A pipeline that is refused: `<prefix><file>:<line>:<column>: <text>`, the position in details. */
export function invalidPipeline(text: string, position?: SourcePosition, prefix = ''): AppError {
  if (!position) return new AppError('pipeline_invalid', `${prefix}${text}`)
  const { file, line, column } = position
  return new AppError('pipeline_invalid', `${prefix}${file}:${line}:${column}: ${text}`, {
    details: { line, column },
  })
}
