// like querySelector itself, which trusts its caller with the kind
// oxlint-disable typescript/no-unnecessary-type-parameters
/** The element of a selector; the page that the script belongs to has it. */
export function getElement<Kind extends Element = HTMLElement>(
  selector: string,
  root: ParentNode = document,
): Kind {
  const element = root.querySelector<Kind>(selector)
  if (!element) throw new Error(`the page has no ${selector}`)
  return element
}

/** Shows a message for five seconds. */
export function showToast(
  message: string,
  type: 'success' | 'error',
  link?: { href: string; text: string },
): void {
  const toast = document.createElement('div')
  toast.className = `toast is-${type === 'success' ? 'success' : 'failed'}`
  const text = document.createElement('p')
  text.textContent = message
  toast.append(text)
  if (link !== undefined) {
    const anchor = document.createElement('a')
    anchor.href = link.href
    anchor.textContent = link.text
    toast.append(anchor)
  }
  getElement('#toast-container').append(toast)
  setTimeout(() => toast.remove(), 5_000)
}

/** Lets the durations of what still runs grow each second. */
export function tickDurations(): void {
  setInterval(() => {
    for (const element of document.querySelectorAll<HTMLElement>('[data-since]')) {
      const since = Date.parse(element.dataset['since'] ?? '')
      element.textContent = formatDuration(Date.now() - since)
    }
  }, 1_000)
}

export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000))
  const [h, m, s] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60, seconds % 60]
  if (h > 0) return `${h}h ${m}m ${s}s`
  return m > 0 ? `${m}m ${s}s` : `${s}s`
}

/** As `formatDuration`, with tenths of a second where they matter. */
export function formatTaken(ms: number): string {
  return ms < 10_000 ? `${(Math.max(0, ms) / 1_000).toFixed(1)}s` : formatDuration(ms)
}
