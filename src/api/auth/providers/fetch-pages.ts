import type { z } from 'zod'
import { readText } from '../../../shared/read-response.js'
import { ANSWER_MS } from './provider.js'

/** Enough for everybody who is not meant to fill our memory. */
const MAX_PAGES = 20
const MAX_BYTES = 4 * 1_048_576

/** An answer of a provider in JSON. Throws a plain Error for anything else: its log line says what. */
export async function fetchJson<T>(
  url: string,
  accessToken: string | undefined,
  schema: z.ZodType<T>,
): Promise<T> {
  const response = await fetch(url, {
    headers: {
      ...(accessToken === undefined ? {} : { authorization: `Bearer ${accessToken}` }),
      accept: 'application/json',
      'user-agent': 'pocketci',
    },
    redirect: 'error',
    signal: AbortSignal.timeout(ANSWER_MS),
  })
  const { text, isWhole } = await readText(response, MAX_BYTES)
  if (!response.ok) throw new Error(`${new URL(url).pathname} answered ${response.status}`)
  if (!isWhole) throw new Error(`${new URL(url).pathname} answered more than ${MAX_BYTES} bytes`)
  return schema.parse(JSON.parse(text))
}

/** All items of a list that comes in pages; `next` says where the one behind a page is. */
export async function fetchPages<Page, Item>(
  accessToken: string,
  { first, schema, itemsOf, next }: PagesOptions<Page, Item>,
): Promise<Item[]> {
  const found: Item[] = []
  let url: string | undefined = first
  for (let page = 1; url !== undefined && page <= MAX_PAGES; page++) {
    const body = await fetchJson(url, accessToken, schema)
    found.push(...itemsOf(body))
    url = next(body, page)
  }
  return found
}

export interface PagesOptions<Page, Item> {
  first: string
  schema: z.ZodType<Page>
  itemsOf(page: Page): Item[]
  /** `at` counts pages from 1. */
  next(page: Page, at: number): string | undefined
}
