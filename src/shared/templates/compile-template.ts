import { Fault, reportFaults } from '../source-fault.js'
import { execute, type RenderOptions } from './execute.js'
import { LIMITS } from './limits.js'
import { parse } from './parse.js'
import { copyData } from './values.js'

export type { RenderOptions }

export interface Template {
  /**
   * Keeps nothing between calls and leaves the data alone. Data is plain: a function, class instance,
   * getter or Proxy in it is a fault. Throws template_failed.
   */
  render(data: unknown): string
}

/**
 * Compiles a template of docs/templates.md. Throws template_invalid; `details` of both errors are `line`
 * and `column` from 1, and `reason`.
 */
export function compileTemplate(source: string, options: RenderOptions): Template {
  const definitions = reportFaults(source, 'template_invalid', () => {
    if (source.length > LIMITS.sourceChars)
      throw new Fault(0, `the template is longer than ${LIMITS.sourceChars} characters`)
    return parse(source)
  })
  return {
    render: (data) =>
      reportFaults(source, 'template_failed', () => {
        const root = copyData(data)
        const parts: string[] = []
        const budget = { steps: LIMITS.steps }
        execute({ definitions, budget, root, options, parts, chars: 0, depth: 0 }, '', root)
        return parts.join('')
      }),
  }
}
