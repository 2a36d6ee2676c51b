import { showToast, tickDurations } from './lib/dom.js'

/** The lists: triggers without leaving the page, and fresh rows. */

const ACTIVE_MS = 3_000
const IDLE_MS = 10_000

document.addEventListener('submit', (event) => {
  const form = event.target
  if (!(form instanceof HTMLFormElement) || form.dataset['trigger'] === undefined) return
  event.preventDefault()
  void trigger(form, form.dataset['trigger'], form.dataset['name'] ?? '')
})
tickDurations()
scheduleRefresh()

async function trigger(form: HTMLFormElement, id: string, name: string): Promise<void> {
  const button = form.querySelector('button')
  if (button) button.disabled = true
  try {
    const path = `/api/pipelines/${encodeURIComponent(id)}/trigger`
    const response = await fetch(path, { method: 'POST', ...bodyOf(form) })
    const body = (await response.json()) as { run_id?: string; error?: string }
    if (response.ok)
      showToast(`${name} triggered successfully`, 'success', {
        href: `/runs/${body.run_id}/tasks`,
        text: 'Show run',
      })
    else showToast(body.error ?? 'An error occurred', 'error')
  } catch {
    showToast('Network error - please check your connection', 'error')
  } finally {
    if (button) button.disabled = false
  }
  // whoever pressed the button wants to see what came of it
  await refresh({ isWanted: true })
  document.querySelector<HTMLElement>(`[data-trigger="${CSS.escape(id)}"] button`)?.focus()
}

/** The inputs of a form that has some; an empty field means the default. */
function bodyOf(form: HTMLFormElement): RequestInit {
  const fields = [...new FormData(form)].filter(([, text]) => text !== '')
  if (fields.length === 0) return {}
  const inputs = Object.fromEntries(
    fields.map(([name, text]) => [name.replace(/^input\./, ''), text]),
  )
  return { headers: { 'content-type': 'application/json' }, body: JSON.stringify({ inputs }) }
}

function scheduleRefresh(): void {
  const region = document.querySelector<HTMLElement>('[data-refresh]')
  if (!region) return
  const pause = region.dataset['refresh'] === 'active' ? ACTIVE_MS : IDLE_MS
  setTimeout(() => void refresh({ isWanted: false }).finally(scheduleRefresh), pause)
}

/** Replaces the list by a new one, but not unasked under somebody's pointer or focus. */
async function refresh({ isWanted }: { isWanted: boolean }): Promise<void> {
  const region = document.querySelector<HTMLElement>('[data-refresh]')
  if (!region || document.hidden) return
  if (!isWanted && isInUse(region)) return
  try {
    const response = await fetch(location.href, { headers: { accept: 'text/html' } })
    if (!response.ok) return
    const page = new DOMParser().parseFromString(await response.text(), 'text/html')
    const fresh = page.getElementById(region.id)
    if (fresh && (isWanted || !isInUse(region))) region.replaceWith(fresh)
  } catch {
    // offline: the next round tries again
  }
}

function isInUse(region: HTMLElement): boolean {
  return region.contains(document.activeElement) || region.querySelector('tr:hover') !== null
}
