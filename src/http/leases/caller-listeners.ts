/**
 * The listeners that HTTP callers have, by id, and for a while those that ended. Only its tenant sees a listener: to everyone
 * else its id looks like an unknown one.
 */
import { randomBytes } from 'node:crypto'
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import type { ListenerPort } from '../ports.ts'

export interface CallerListener {
  readonly id: string
  readonly tenant: string
  readonly listener: ListenerPort
  readonly traits: ListenerTraits
}

/** What its caller has said of it, and an answer repeats. */
export interface ListenerTraits {
  readonly tls: boolean
  readonly ttlMs: number
}

export interface CallerListenersOptions {
  /** Monotonic milliseconds; default: `performance.now`. */
  readonly now?: (() => number) | undefined
  /** Gets what fails after the end of a listener. */
  readonly onFault: (error: unknown) => void
  /** Makes an id that nobody can guess; default: 256 random bits. */
  readonly newId?: (() => string) | undefined
}

interface EndedListener {
  readonly tenant: string
  readonly reason: string
  readonly diedAt: number
}

export class CallerListeners {
  readonly #open = new Map<string, CallerListener>()
  /** In the order in which they ended. */
  readonly #ended = new Map<string, EndedListener>()
  readonly #now: () => number
  readonly #onFault: (error: unknown) => void
  readonly #newId: () => string

  constructor({ now, onFault, newId }: CallerListenersOptions) {
    this.#newId = newId ?? (() => randomBytes(32).toString('base64url'))
    this.#now = now ?? (() => performance.now())
    this.#onFault = onFault
  }

  /** Keeps a listener until it ends. */
  add(listener: ListenerPort, tenant: string, traits: ListenerTraits): CallerListener {
    const id = this.#newId()
    const own = { id, tenant, listener, traits }
    this.#open.set(id, own)
    listener.ended.then(reason => this.#bury(own, reason)).catch(this.#onFault)
    return own
  }

  /** The tenant's listener. Errors: LISTENER_NOT_FOUND, with its reason where it has ended of late. */
  find(id: string, tenant: string): CallerListener {
    const own = this.#open.get(id)
    if (own?.tenant === tenant) return own
    const ended = this.#ended.get(id)
    if (ended?.tenant === tenant && this.#now() - ended.diedAt < LIMITS.tombstoneMs)
      throw new SockpoolError('LISTENER_NOT_FOUND', `this listener has ended: ${ended.reason}`, {
        reason: ended.reason,
      })
    throw new SockpoolError('LISTENER_NOT_FOUND', 'you have no listener with this id')
  }

  /** Whether there is, or was of late, a listener of this id, whosever. */
  knows(id: string): boolean {
    return this.#open.has(id) || this.#ended.has(id)
  }

  /** The tenant's listeners, oldest first. */
  list(tenant: string): CallerListener[] {
    return [...this.#open.values()].filter(own => own.tenant === tenant)
  }

  #bury({ id, tenant }: CallerListener, reason: string): void {
    this.#open.delete(id)
    const diedAt = this.#now()
    this.#ended.set(id, { tenant, reason, diedAt })
    for (const [oldest, { diedAt: before }] of this.#ended) {
      if (this.#ended.size <= LIMITS.listenerEndsMax && diedAt - before < LIMITS.tombstoneMs) break
      this.#ended.delete(oldest)
    }
  }
}
