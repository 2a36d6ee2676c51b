import type { Gate } from '../../shared/db/gates.js'
import { visibleText } from './log-text.js'
import { Time } from './time.js'

export interface GateListProps {
  gates: readonly Gate[]
  /** Gates of a run that has ended can be resolved no more. */
  isActive: boolean
}

/** What a person has to decide before a run goes on, and what was decided; a script replaces it. */
export function GateList({ gates, isActive }: GateListProps) {
  return (
    <section id="run-gates" class="stack" aria-label="Gates" hidden={gates.length === 0}>
      {gates.map((gate) =>
        gate.status === 'pending' && isActive ? (
          <OpenGate key={gate.id} gate={gate} />
        ) : (
          <p key={gate.id} class="sub">
            {`Gate ${visibleText(gate.name)}: ${outcomeOf(gate)}`}
          </p>
        ),
      )}
    </section>
  )
}

function OpenGate({ gate: { id, name, message, approvers, deadlineAt } }: { gate: Gate }) {
  const comment = `comment-${id}`
  return (
    <form class="card fields gate" method="post" action={`/gates/${id}/approve`}>
      <h2>{`Gate ${visibleText(name)}`}</h2>
      {message !== '' && <p>{visibleText(message)}</p>}
      <p class="sub">
        {approvers.length > 0 && `For ${visibleText(approvers.join(', '))}. `}
        {deadlineAt !== null && (
          <>
            Times out at <Time at={deadlineAt} />.
          </>
        )}
      </p>
      <div class="field">
        <label for={comment}>Comment</label>
        <textarea id={comment} class="input" name="comment" rows={2} maxLength={4_000} />
      </div>
      <div class="btns">
        <button class="btn">Approve</button>
        <button class="btn danger" formaction={`/gates/${id}/reject`}>
          Reject
        </button>
      </div>
    </form>
  )
}

function outcomeOf({ status, approvedBy, comment }: Gate): string {
  const why = comment === '' ? '' : `: ${visibleText(comment)}`
  switch (status) {
    case 'pending':
      return 'nobody has decided'
    case 'approved':
    case 'rejected':
      return `${status} by ${visibleText(approvedBy)}${why}`
    case 'timed_out':
      return 'timed out'
  }
}
