/** What a caller is told of a worker that never started, or that died over its task. */
import { exhausted, isExhaustion, isOutOfDescriptors } from '../base/descriptors.ts'
import { SockpoolError } from '../base/errors.ts'

export type Death = 'crashed' | 'out_of_memory' | 'exited'

const WORDS_FOR: Readonly<Record<Death, string>> = {
  crashed: 'it crashed',
  out_of_memory: 'it ran out of memory',
  exited: 'it exited',
}

/** What the worker itself said of its end may name files of ours; who may know has the cause. */
export function died(reason: Death, cause: unknown): SockpoolError {
  return new SockpoolError('PARSE_FAILED', `the parse worker died: ${WORDS_FOR[reason]}`, { reason, cause })
}

/** No fault of the bytes. `kind`: what cannot start. `retryable`: whether it is known that the task will never be run. */
export function notStarted(kind: 'thread' | 'process', cause: unknown, retryable: boolean): SockpoolError {
  if (isOutOfDescriptors() || isExhaustion(cause)) return exhausted(`a parse ${kind} cannot start`, cause)
  const message = cause instanceof Error ? cause.message : String(cause)
  return new SockpoolError('QUEUE_FULL', `a parse ${kind} cannot start: ${message}`, {
    reason: 'not_started',
    retryable,
    cause,
  })
}
