import type { Page } from '../../shared/db/pipelines.js'

export interface PagerProps extends Page {
  totalItems: number
  search?: string
}

/** Links to the neighbours of a page; nothing when there is only one. */
export function Pager({ page, perPage, totalItems, search = '' }: PagerProps) {
  const totalPages = Math.ceil(totalItems / perPage)
  if (totalPages <= 1) return null
  const href = (to: number): string => {
    const query = new URLSearchParams({ page: String(to), per_page: String(perPage) })
    if (search !== '') query.set('q', search)
    return `?${query}`
  }
  return (
    <nav class="pager" aria-label="Pages">
      {page > 1 && (
        <a class="btn" rel="prev" href={href(Math.min(page - 1, totalPages))}>
          ← Previous
        </a>
      )}
      <span>{`Page ${page} of ${totalPages}`}</span>
      {page < totalPages && (
        <a class="btn" rel="next" href={href(page + 1)}>
          Next →
        </a>
      )}
    </nav>
  )
}
