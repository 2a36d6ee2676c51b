import type { InputDeclarations } from '../../shared/contract/inputs.js'
import type { Pipeline } from '../../shared/db/pipelines.js'
import { formatDuration } from '../../shared/config/duration.js'
import { formatTime } from './time.js'

/** A pipeline as clients see it. */
export function toWirePipeline(
  pipeline: Pipeline,
  { defaultDriver, inputs }: { defaultDriver: string; inputs: InputDeclarations },
) {
  const { concurrency, priority, labels, maxInFlight, runTimeoutMs } = pipeline
  return {
    id: pipeline.id,
    name: pipeline.name,
    content: pipeline.content,
    content_type: pipeline.contentType,
    driver: pipeline.driver || defaultDriver,
    created_at: formatTime(pipeline.createdAt),
    updated_at: formatTime(pipeline.updatedAt),
    resume_enabled: pipeline.isResumeEnabled,
    paused: pipeline.isPaused,
    ...(pipeline.rule && { rbac_expression: pipeline.rule }),
    ...(concurrency.mode && { concurrency_mode: concurrency.mode }),
    ...(concurrency.template && { concurrency_group_template: concurrency.template }),
    ...(concurrency.cancelsRunning && { concurrency_cancel_running: true }),
    ...(priority !== 'normal' && { priority }),
    ...(labels.length > 0 && { labels }),
    ...(maxInFlight > 0 && { max_in_flight: maxInFlight }),
    ...(runTimeoutMs > 0 && { run_timeout: formatDuration(runTimeoutMs) }),
    ...(Object.keys(inputs).length > 0 && { inputs }),
  }
}
