import type { InputDeclarations } from '../../shared/contract/inputs.js'
import type { Pipeline } from '../../shared/db/pipelines.js'
import { formatTime } from './time.js'

/** A pipeline as clients see it. */
export function toWirePipeline(
  pipeline: Pipeline,
  { defaultDriver, inputs }: { defaultDriver: string; inputs: InputDeclarations },
) {
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
    ...(Object.keys(inputs).length > 0 && { inputs }),
  }
}
