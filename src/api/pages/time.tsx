import { formatDuration, formatTime } from '../wire/time.js'

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** `Jan 02, 2006 15:04`, UTC. */
export function Time({ at }: { at: number }) {
  const iso = formatTime(at)
  const month = MONTHS[Number(iso.slice(5, 7)) - 1]
  const text = `${month} ${iso.slice(8, 10)}, ${iso.slice(0, 4)} ${iso.slice(11, 16)}`
  return (
    <time dateTime={iso} title={`${iso} (UTC)`}>
      {text}
    </time>
  )
}

/** From a start to its end or to now; a dash before the start. A script lets open ones grow. */
export function Elapsed({
  start,
  end,
  now,
}: {
  start: number | null
  end: number | null
  now: number
}) {
  if (start === null) return <span class="num">—</span>
  const isOpen = end === null
  return (
    <span class="num" data-since={isOpen ? formatTime(start) : undefined}>
      {isOpen ? formatDuration(now - start) : formatTaken(end - start)}
    </span>
  )
}

/** As `formatDuration`, with tenths of a second where they matter. */
function formatTaken(ms: number): string {
  return ms < 10_000 ? `${(Math.max(0, ms) / 1_000).toFixed(1)}s` : formatDuration(ms)
}
