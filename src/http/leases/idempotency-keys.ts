/**
 * Leases by Idempotency-Key. A caller that lost its answer asks again with the same key and gets the same lease, as long
 * as that lease lives. While the first request still waits, the second waits with it. There are no more keys than leases
 * and requests that wait for one.
 */
import { SockpoolError } from '../../base/errors.ts'
import { invalidField } from '../problems.ts'
import type { CallerLease } from './caller-lease.ts'

export interface KeyedRequest {
  readonly tenant: string
  readonly key: string
  /** What the caller asks for. The same key with another fingerprint is a mistake of the caller. */
  readonly fingerprint: string
  /** Fires when the caller disconnects. Once all who wait have left, the acquiring is aborted. */
  readonly signal: AbortSignal
}

interface KeyedLease {
  readonly fingerprint: string
  readonly result: Promise<CallerLease>
  readonly controller: AbortController
  waiting: number
}

export class IdempotencyKeys {
  readonly #entries = new Map<string, KeyedLease>()

  /**
   * The lease of this key, acquired now or before.
   *
   * `acquire` gets the signal that aborts it. All who wait get its failure, and then the key is free again.
   * Errors: INVALID_REQUEST for a key that was used for something else, ABORTED, and those of `acquire`.
   */
  async lease(
    request: KeyedRequest,
    acquire: (signal: AbortSignal) => Promise<CallerLease>,
  ): Promise<CallerLease> {
    const name = JSON.stringify([request.tenant, request.key])
    const known = this.#entries.get(name)
    if (known && known.fingerprint !== request.fingerprint)
      throw invalidField('Idempotency-Key', 'was used before with another target, ttlMs or replay')
    const entry = known ?? this.#start(name, request.fingerprint, acquire)
    return await this.#join(entry, request.signal)
  }

  #start(
    name: string,
    fingerprint: string,
    acquire: (signal: AbortSignal) => Promise<CallerLease>,
  ): KeyedLease {
    const controller = new AbortController()
    const entry = { fingerprint, result: acquire(controller.signal), controller, waiting: 0 }
    const forget = (): void => {
      if (this.#entries.get(name) === entry) this.#entries.delete(name)
    }
    this.#entries.set(name, entry)
    // Handles the failure, which all who wait get for themselves; neither callback can fail.
    void entry.result.then(held => held.whenEnded(forget), forget)
    // Nobody can join what was aborted: the next caller starts anew.
    controller.signal.addEventListener('abort', forget, { once: true })
    return entry
  }

  async #join(entry: KeyedLease, signal: AbortSignal): Promise<CallerLease> {
    const { promise, reject } = Promise.withResolvers<never>()
    let isHere = true
    const leave = (): void => {
      if (!isHere) return
      isHere = false
      entry.waiting -= 1
      reject(new SockpoolError('ABORTED', 'the client disconnected', { cause: signal.reason }))
      if (entry.waiting === 0) entry.controller.abort(signal.reason)
    }
    entry.waiting += 1
    signal.addEventListener('abort', leave, { once: true })
    if (signal.aborted) leave()
    try {
      return await Promise.race([entry.result, promise])
    } finally {
      isHere = false
      signal.removeEventListener('abort', leave)
    }
  }
}
