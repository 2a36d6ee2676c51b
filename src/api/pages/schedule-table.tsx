import type { Schedule } from '../../shared/db/schedules.js'
import { visibleText } from './log-text.js'
import { Time } from './time.js'

export interface ScheduleTableProps {
  pipelineId: string
  schedules: readonly Schedule[]
  /** The feature is on. */
  canFire: boolean
}

/** When a pipeline starts runs by itself. Each schedule has a form that pauses it or lets it go on. */
export function ScheduleTable({ pipelineId, schedules, canFire }: ScheduleTableProps) {
  return (
    <section id="schedules-section" class="stack" aria-label="Schedules">
      <h2>
        Schedules <span class="count">{schedules.length}</span>
      </h2>
      {!canFire && (
        <p class="banner is-waiting">
          Schedules are switched off on this server: none of these starts a run.
        </p>
      )}
      <div class="card">
        <table class="rows">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">When</th>
              <th scope="col">Next</th>
              <th scope="col">Last</th>
              <th scope="col">
                <span class="vh">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {schedules.map((schedule) => (
              <ScheduleRow
                key={schedule.id}
                pipelineId={pipelineId}
                schedule={schedule}
                canFire={canFire}
              />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  )
}

interface ScheduleRowProps {
  pipelineId: string
  schedule: Schedule
  canFire: boolean
}

function ScheduleRow({ pipelineId, schedule, canFire }: ScheduleRowProps) {
  const { id, type, expr, isEnabled, nextRunAt, lastRunAt } = schedule
  const name = visibleText(schedule.name)
  const verb = isEnabled ? 'pause' : 'unpause'
  const label = isEnabled ? 'Pause' : 'Unpause'
  return (
    <tr>
      <th scope="row">{name}</th>
      <td data-label="When">
        <code>{visibleText(type === 'interval' ? `every ${expr}` : expr)}</code>
      </td>
      <td data-label="Next">{nextRunAt === null ? 'Paused' : <Time at={nextRunAt} />}</td>
      <td data-label="Last">{lastRunAt === null ? 'Never' : <Time at={lastRunAt} />}</td>
      <td class="acts">
        {canFire && (
          <form method="post" action={`/pipelines/${pipelineId}/schedules/${id}/${verb}`}>
            <button class="btn" aria-label={`${label} schedule ${name}`}>
              {label}
            </button>
          </form>
        )}
      </td>
    </tr>
  )
}
