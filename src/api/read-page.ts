import type { Page, PageOf } from '../shared/db/pipelines.js'

const DEFAULT_PER_PAGE = 20
/** Keeps an answer and the work for it small. */
const MAX_PER_PAGE = 200
/** Far beyond any list; the offset stays a safe integer. */
const MAX_PAGE = 1_000_000_000

/** `page` and `per_page` of a query: a leading integer is enough, what makes no sense is the default. */
export function readPage(query: URLSearchParams): Page {
  return {
    page: Math.min(readCount(query.get('page')) ?? 1, MAX_PAGE),
    perPage: Math.min(readCount(query.get('per_page')) ?? DEFAULT_PER_PAGE, MAX_PER_PAGE),
  }
}

/** All of a page's envelope but its items. */
export function envelope(
  { page, perPage }: Page,
  { totalItems }: Pick<PageOf<unknown>, 'totalItems'>,
) {
  const totalPages = Math.ceil(totalItems / perPage)
  return {
    page,
    per_page: perPage,
    total_items: totalItems,
    total_pages: totalPages,
    has_next: page < totalPages,
  }
}

function readCount(text: string | null): number | undefined {
  const number = Number.parseInt(text ?? '', 10)
  return number >= 1 ? number : undefined
}
