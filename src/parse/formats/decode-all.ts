import { reviveError, SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import type { Decoder } from './format.ts'

/**
 * All values of an input that is complete, in order. An input without a message has none.
 *
 * Errors: PARSE_FAILED, PARSE_LIMIT, with `offset` in bytes from the start of the input.
 */
export function decodeAll(decoder: Decoder, input: Buffer): unknown[] {
  const values: unknown[] = []
  let start = 0
  while (start < input.length) {
    const rest = input.subarray(start)
    try {
      const cutter = decoder.cutter()
      const length = cutter.push(rest) || cutter.finish()
      if (length === 'none') break
      if (length === 'partial')
        throw new SockpoolError('PARSE_FAILED', 'the input ends within a message', { offset: rest.length })
      if (values.length === LIMITS.parseElementsMax)
        throw new SockpoolError('PARSE_LIMIT', `the input has more than ${LIMITS.parseElementsMax} values`, {
          offset: 0,
        })
      values.push(decoder.decode(rest.subarray(0, length)))
      start += length
    } catch (error) {
      throw shifted(error, start)
    }
  }
  return values
}

/** A message counts from its own start; the caller counts from the start of the input. */
function shifted(error: unknown, start: number): unknown {
  if (!(error instanceof SockpoolError) || error.offset === undefined || start === 0) return error
  return Object.assign(reviveError({ ...error.toJSON(), offset: error.offset + start }), {
    cause: error.cause,
  })
}
