const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** `Jan 02, 2006 15:04`, in UTC; nothing when it is no time. */
export function formatTime(text: string | undefined): string {
  const time = new Date(text ?? '')
  if (Number.isNaN(time.getTime())) return ''
  const two = (number: number): string => String(number).padStart(2, '0')
  const day = `${MONTHS[time.getUTCMonth()]} ${two(time.getUTCDate())}, ${time.getUTCFullYear()}`
  return `${day} ${two(time.getUTCHours())}:${two(time.getUTCMinutes())}`
}

/** `1h 2m 3s`, `2m 3s`, `45s` from one time to another; nothing when one of them is none. */
export function formatSpan(from: string | undefined, to: string | undefined): string {
  const ms = new Date(to ?? '').getTime() - new Date(from ?? '').getTime()
  if (Number.isNaN(ms)) return ''
  const seconds = Math.max(0, Math.floor(ms / 1_000))
  const [h, m, s] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60, seconds % 60]
  if (h > 0) return `${h}h ${m}m ${s}s`
  return m > 0 ? `${m}m ${s}s` : `${s}s`
}
