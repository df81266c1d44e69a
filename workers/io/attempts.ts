/** Connects to one of several addresses: one after another, or overlapping as in RFC 8305 (happy eyeballs). */

import { SockpoolError } from '../../src/base/errors.ts'
import { timerMs } from '../../src/base/timer.ts'
import { aborted } from '../../src/base/wait.ts'
import type { Address } from '../../src/egress/address.ts'

export type AttemptRules = {
  /** Milliseconds until the next attempt starts beside the one under way; undefined: when that has failed. */
  readonly delayMs: number | undefined
  /** An error that ends all attempts. */
  readonly isFinal: (error: unknown) => boolean
  readonly signal: AbortSignal
}

/** What became of the attempts that failed, in the order they were begun. */
export class AttemptErrors extends AggregateError {}

/**
 * The first success; it cancels the attempts under way before anything else happens to them. `left` tells an attempt how
 * many are not over, itself and those under way included, of which it may use its share of the time.
 *
 * Errors: AttemptErrors when all have failed, or one finally (then it is the last of them).
 */
export async function firstOf<Candidate, Result>(
  candidates: readonly Candidate[],
  attempt: (candidate: Candidate, signal: AbortSignal, left: number) => Promise<Result>,
  { delayMs, isFinal, signal }: AttemptRules,
): Promise<Result> {
  const { promise, resolve, reject } = Promise.withResolvers<Result>()
  const cancel = new AbortController()
  const until = AbortSignal.any([signal, cancel.signal])
  const errors = new Map<number, unknown>()
  let begun = 0
  let timer: NodeJS.Timeout | undefined
  const failed = (index: number, error: unknown): void => {
    errors.set(index, error)
    if (signal.aborted) return reject(aborted('connect', signal))
    if (isFinal(error)) {
      errors.delete(index)
      return reject(new AttemptErrors([...inOrder(errors), error]))
    }
    if (errors.size === candidates.length) return reject(new AttemptErrors(inOrder(errors)))
    next()
  }
  const next = (): void => {
    clearTimeout(timer)
    const index = begun
    const candidate = candidates[index]
    if (candidate === undefined || cancel.signal.aborted) return
    begun++
    begin(() => attempt(candidate, until, candidates.length - index)).then(resolve, error =>
      failed(index, error),
    )
    if (delayMs !== undefined && begun < candidates.length) timer = setTimeout(next, timerMs(delayMs))
  }
  next()
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    cancel.abort()
  }
}

/** What an attempt throws before it is under way is its failure as well: nobody is above the timer that began it. */
async function begin<Result>(attempt: () => Promise<Result>): Promise<Result> {
  return await attempt()
}

/**
 * The one error that several failures are to their caller: the only one; the first where all read alike; else all
 * messages in one, with the code that they share, or CONNECT_FAILED. Source: asyncio.open_connection.
 */
export function attemptsError(errors: readonly unknown[]): SockpoolError {
  const known = errors.map(error => SockpoolError.from(error, 'CONNECT_FAILED'))
  const [first] = known
  if (first === undefined) return new SockpoolError('CONNECT_FAILED', 'the target has no place to dial')
  if (known.every(({ message }) => message === first.message)) return first
  const message = `Multiple exceptions: ${known.map(error => error.message).join(', ')}`
  const code = known.every(error => error.code === first.code) ? first.code : 'CONNECT_FAILED'
  return new SockpoolError(code, message, {
    ...(first.reason !== undefined && known.every(({ reason }) => reason === first.reason)
      ? { reason: first.reason }
      : {}),
    retryable: known.some(error => error.retryable),
    cause: new AggregateError(known, message),
  })
}

/** The families in turn, beginning with that of the first address. */
export function interleaved(addresses: readonly Address[]): readonly Address[] {
  const first = addresses[0]?.family
  const one = addresses.filter(({ family }) => family === first)
  const other = addresses.filter(({ family }) => family !== first)
  return Array.from({ length: Math.max(one.length, other.length) }, (_, index) => [
    ...one.slice(index, index + 1),
    ...other.slice(index, index + 1),
  ]).flat()
}

function inOrder(errors: ReadonlyMap<number, unknown>): unknown[] {
  return [...errors].sort(([one], [other]) => one - other).map(([, error]) => error)
}
