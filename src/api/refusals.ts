import type { Refusal } from '../shared/admission/check-admission.js'
import { AppError } from '../shared/errors.js'

/** A run that is not accepted now, as its caller is told. */
export function refused(refusal: Refusal, maxQueueSize: number): AppError {
  switch (refusal.outcome) {
    case 'pipeline_not_found':
      return new AppError('pipeline_not_found', 'pipeline not found')
    case 'paused':
      return new AppError('pipeline_paused', 'pipeline is paused')
    case 'queue_full': {
      const { inFlight, maxInFlight } = refusal
      return new AppError('queue_full', 'execution queue is full', {
        details: { in_flight: inFlight, max_in_flight: maxInFlight, max_queue_size: maxQueueSize },
      })
    }
  }
}

export function serverStopping(): AppError {
  return new AppError('server_stopping', 'the server is stopping and starts no new runs')
}
