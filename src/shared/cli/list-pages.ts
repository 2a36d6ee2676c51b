import { z } from 'zod'
import { readJson, refusal, request, type RequestOptions } from './client.js'
import type { Connection } from './connection.js'

/** What a server gives at once at most. */
export const MAX_PER_PAGE = 200
/** Ends a server that never stops announcing another page. */
const MAX_PAGES = 1_000_000

export interface PageOptions<T> {
  /** With its query, if it has one. */
  path: string
  item: z.ZodType<T>
  /** This page alone; all of them unless given. */
  page?: number | undefined
  perPage: number
  signal?: AbortSignal
}

/** The items of a list, a page at a time: the next one is asked for when this one was taken. */
export async function* listPages<T>(
  connection: Connection,
  { path, item, page, perPage, signal }: PageOptions<T>,
): AsyncGenerator<T[]> {
  const schema = z.object({ items: z.array(item), has_next: z.boolean().default(false) })
  const options: RequestOptions = signal ? { signal } : {}
  for (let at = page ?? 1; at <= MAX_PAGES; at++) {
    const query = `page=${at}&per_page=${perPage}`
    const response = await request(
      connection,
      `${path}${path.includes('?') ? '&' : '?'}${query}`,
      options,
    )
    if (!response.ok) throw await refusal(connection, response)
    const { items, has_next: hasNext } = await readJson(response, schema)
    yield items
    if (page !== undefined || !hasNext || items.length === 0) return
  }
}
