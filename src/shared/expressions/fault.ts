/** A fault of an expression at an offset of its source; compileExpression makes an AppError of it. */
export class Fault extends Error {
  readonly at: number

  constructor(at: number, message: string, options?: { cause: unknown }) {
    super(message, options)
    this.at = at
  }
}
