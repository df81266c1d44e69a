/**
 * Leases by Idempotency-Key. A caller whose answer got lost asks again with the same key and gets the same lease,
 * as long as that lease lives; while the first request still waits, the second waits with it.
 */
import { SockpoolError } from '../../base/errors.ts'
import { invalidField } from '../problems.ts'
import type { HeldLease } from './lease-table.ts'

export interface KeyedRequest {
  readonly tenant: string
  readonly key: string
  /** What was asked for: the same key with another one is a mistake of the caller. */
  readonly fingerprint: string
  /** The caller's request; it ends the acquiring when all who wait for it are gone. */
  readonly signal: AbortSignal
}

interface Entry {
  readonly fingerprint: string
  readonly result: Promise<HeldLease>
  readonly controller: AbortController
  waiting: number
}

export class IdempotencyKeys {
  readonly #entries = new Map<string, Entry>()

  /**
   * The lease of this key, acquired now or before.
   *
   * `acquire` gets the signal that ends it. A failure is told to all who wait and then forgotten.
   * Errors: INVALID_REQUEST for a key that was used for something else, ABORTED, and those of `acquire`.
   */
  async lease(
    request: KeyedRequest,
    acquire: (signal: AbortSignal) => Promise<HeldLease>,
  ): Promise<{ held: HeldLease; isRepeat: boolean }> {
    const name = JSON.stringify([request.tenant, request.key])
    const known = this.#entries.get(name)
    if (known && known.fingerprint !== request.fingerprint)
      throw invalidField('Idempotency-Key', 'was used with another request')
    const entry = known ?? this.#start(name, request.fingerprint, acquire)
    return { held: await this.#join(entry, request.signal), isRepeat: known !== undefined }
  }

  #start(name: string, fingerprint: string, acquire: (signal: AbortSignal) => Promise<HeldLease>): Entry {
    const controller = new AbortController()
    const entry = { fingerprint, result: acquire(controller.signal), controller, waiting: 0 }
    const forget = (): void => {
      if (this.#entries.get(name) === entry) this.#entries.delete(name)
    }
    this.#entries.set(name, entry)
    entry.result.then(held => held.lease.ended.then(forget), forget)
    // Nobody can join what was given up: the next caller starts anew.
    controller.signal.addEventListener('abort', forget, { once: true })
    return entry
  }

  async #join(entry: Entry, signal: AbortSignal): Promise<HeldLease> {
    const { promise, reject } = Promise.withResolvers<never>()
    let isHere = true
    const leave = (): void => {
      if (!isHere) return
      isHere = false
      entry.waiting -= 1
      reject(new SockpoolError('ABORTED', 'the client is gone', { cause: signal.reason }))
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
