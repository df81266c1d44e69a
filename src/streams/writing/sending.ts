/** A write that is waited for in one call, and an error that says how far its bytes came. */
import { CallBounds } from '../../base/call-bounds.ts'
import { copyError, SockpoolError } from '../../base/errors.ts'
import { choiceOption, optionsObject } from '../../base/options.ts'
import { aborted } from '../../base/wait.ts'
import type { SendOptions, SentUntil } from './writer-options.ts'
import type { WritingHalf } from './writing-half.ts'

const STAGES: readonly SentUntil[] = ['accepted', 'drained', 'flushed']

/** See StreamWriter.send. */
export async function sendThrough(half: WritingHalf, bytes: Uint8Array, options: SendOptions): Promise<void> {
  const { until: stage, signal, timeoutMs } = optionsObject(options)
  const until = choiceOption('until', stage, STAGES) ?? 'drained'
  const bounds = CallBounds.of({ signal, timeoutMs })
  const start = half.accepted
  try {
    if (bounds.signal?.aborted) throw aborted('send()', bounds.signal)
    half.assertWritable('send()')
    half.assertAlive()
    if (half.isClosing) throw new SockpoolError('WRITE_CLOSED', 'Cannot call send() on a closing writer')
    if (bytes.length > 0) half.accept([bytes], bytes.length)
    await reached(half, until, start + bytes.length, bounds)
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
  bounds: CallBounds,
): Promise<void> {
  switch (until) {
    case 'accepted':
      return
    case 'drained':
      return await half.drain(bounds)
    case 'flushed':
      return await half.flushed(offset, bounds)
    default:
      until satisfies never
  }
}
