/** A button that starts a run; a script shows a toast instead of going to the run. */
export function TriggerForm({
  id,
  name,
  isPaused,
}: {
  id: string
  name: string
  isPaused: boolean
}) {
  return (
    <form method="post" action={`/pipelines/${id}/trigger`} data-trigger={id} data-name={name}>
      <button
        class="btn"
        disabled={isPaused}
        title={isPaused ? 'Pipeline is paused' : undefined}
        aria-label={`Trigger ${name}`}
      >
        Trigger
      </button>
    </form>
  )
}
