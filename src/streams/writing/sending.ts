/** A write that is waited for in one call, and an error that says how far its bytes came. */
import { copyError, SockpoolError } from '../../base/errors.ts'
import { aborted } from '../../base/wait.ts'
import type { SendOptions, SentUntil } from './writer-options.ts'
import type { WritingHalf } from './writing-half.ts'

const STAGES: readonly SentUntil[] = ['accepted', 'drained', 'flushed']

/** See StreamWriter.send. */
export async function sendThrough(
  half: WritingHalf,
  bytes: Uint8Array,
  { until = 'drained', signal, timeoutMs }: SendOptions,
): Promise<void> {
  if (!STAGES.includes(until))
    throw new SockpoolError('INVALID_REQUEST', `until must be one of ${STAGES.join(', ')}`)
  const start = half.accepted
  try {
    if (signal?.aborted) throw aborted('send()', signal)
    half.assertWritable('send()')
    half.assertAlive()
    if (half.isClosing) throw new SockpoolError('WRITE_CLOSED', 'Cannot call send() on a closing writer')
    if (bytes.length > 0) half.accept([bytes], bytes.length)
    await reached(half, until, start + bytes.length, { signal, timeoutMs })
  } catch (error) {
    if (!(error instanceof SockpoolError)) throw error
    const bytesAccepted = half.accepted > start ? bytes.length : 0
    const bytesDelivered = Math.min(bytesAccepted, Math.max(0, half.out - start))
    // A copy: the error of a broken connection is shared by all who were on it.
    throw copyError(error).add({ bytesAccepted, bytesDelivered })
  }
}

async function reached(
  half: WritingHalf,
  until: SentUntil,
  offset: number,
  options: Pick<SendOptions, 'signal' | 'timeoutMs'>,
): Promise<void> {
  switch (until) {
    case 'accepted':
      return
    case 'drained':
      return await half.drain(options)
    case 'flushed':
      return await half.flushed(offset, options)
    default:
      until satisfies never
  }
}
