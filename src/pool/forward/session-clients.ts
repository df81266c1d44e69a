/**
 * The clients of a forward in session mode. Each waits for a lease of the target, in the I/O worker in which it was
 * accepted, and is joined with its connection there; the lease lasts as long as the client stays.
 *
 *   accepted ──► waiting ──► joined ──► (the lease is given back)
 *      └────────────┴── left, refused ──► closed
 */
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { settledWithin } from '../../base/wait.ts'
import { isPeerEnd } from '../../channel/values.ts'
import type { ForwardConfig } from '../../config/forward.ts'
import type { IoConnection } from '../../threads/io-connection.ts'
import type { SpliceTerms } from '../../threads/protocol.ts'
import type { Incoming } from '../../threads/thread-listeners.ts'
import type { WaitingIncoming } from '../../threads/thread-splices.ts'
import type { DialWish } from '../target/dial-wish.ts'
import type { ForwardCounts } from './forward-counts.ts'
import { proxyHeader } from './proxy-header.ts'
import type { SessionLease, SessionLeases } from './session-leases.ts'
import { SplicedEnds } from './spliced-ends.ts'

/** What a client asks for. */
export type SessionAsking = {
  readonly target: string
  readonly tenant: string
  readonly origin: { readonly route: string }
  readonly wish: DialWish
  readonly signal: AbortSignal
}

/** The pool, as the clients of a forward need it. */
export interface SessionPool {
  /** Errors: those of `Pool.lease`. */
  lease(asking: SessionAsking, make: () => SplicedEnds): Promise<SessionLease>
  /**
   * Whether whoever waits for this target waits for others. A client that has ended its direction then is taken for one that
   * has gone: a killed one looks the same. While its own connection is dialled it may still listen, as after `… | nc -N`.
   */
  isQueued(target: string): boolean
}

export type SessionClientsDeps = {
  /** What the configuration says now. */
  readonly config: () => ForwardConfig
  /** Whose the leases are. */
  readonly tenant: () => string
  readonly pool: SessionPool
  readonly counts: ForwardCounts
  readonly leases: SessionLeases
  /** A client was turned away for this. */
  readonly onRefused: (error: SockpoolError) => void
  readonly onFault: (error: unknown) => void
}

export class SessionClients {
  readonly #deps: SessionClientsDeps
  readonly #waiting = new Set<AbortController>()
  #size = 0

  constructor(deps: SessionClientsDeps) {
    this.#deps = deps
  }

  get size(): number {
    return this.#size
  }

  get waiting(): number {
    return this.#waiting.size
  }

  accept(incoming: Incoming): void {
    const { counts, onFault } = this.#deps
    const { client } = incoming
    if (client === null || this.#size >= LIMITS.forwardClientsMax) {
      incoming.refuse()
      return this.#refused(new SockpoolError('QUEUE_FULL', 'the forward has as many clients as it may'))
    }
    counts.accepted++
    this.#size++
    this.#serve(incoming, client)
      .catch(onFault)
      .finally(() => {
        this.#size--
      })
  }

  /** Those who wait are turned away. */
  refuseWaiting(): void {
    const closed = new SockpoolError('DRAINING', 'the forward is closed')
    for (const controller of [...this.#waiting]) controller.abort(closed)
  }

  async #serve(incoming: Incoming, client: WaitingIncoming): Promise<void> {
    const lease = await this.#acquire(incoming, client)
    if (lease === null) return
    const { record, ends } = lease
    const { reuse, allowTruncated } = record.terms
    const reuses = reuse === 'clean' && this.#deps.config().proxyProtocol === false
    const terms = { reuses, allowTruncated }
    // The worker died, or was replaced, while the client waited.
    if (!(record.connection as IoConnection).splice(client, terms, ends)) {
      incoming.refuse()
      await record.giveBack(null, false)
      return this.#refused(
        new SockpoolError('WORKER_LOST', 'the client and its connection live in two threads'),
      )
    }
    const { counts, leases } = this.#deps
    leases.add(lease)
    try {
      counts.serve(await this.#last(lease, terms), ends)
    } finally {
      leases.delete(lease)
    }
  }

  /** Null where the client was turned away, or has left. */
  async #acquire(incoming: Incoming, client: WaitingIncoming): Promise<SessionLease | null> {
    const { pool, config, tenant } = this.#deps
    const { target, proxyProtocol } = config()
    const controller = new AbortController()
    this.#waiting.add(controller)
    client.onLeft(how => {
      if (how === 'gone' || pool.isQueued(target)) controller.abort('left')
    })
    const header = proxyProtocol === 'v2' ? proxyHeader(client.from) : null
    const wish = { thread: client.thread, header }
    const origin = { route: tenant() }
    try {
      const asking = { target, tenant: tenant(), origin, wish, signal: controller.signal }
      return await pool.lease(asking, () => new SplicedEnds())
    } catch (error) {
      incoming.refuse()
      const { reason } = controller.signal
      if (reason === 'left') this.#deps.counts.refuse('left')
      else this.#refused(reason instanceof SockpoolError ? reason : SockpoolError.from(error))
      return null
    } finally {
      this.#waiting.delete(controller)
    }
  }

  /** The lease, to its end: what became of it. */
  async #last({ record, ends }: SessionLease, { reuses }: SpliceTerms): Promise<string> {
    // One that was killed in the turn that it began has its client reset by the worker all the same.
    const how = await record.operation('forward', () => ends.done).catch(() => ends.done)
    if (how === 'freed') return (await record.giveBack(reuses ? null : 'policy', false)).reason
    // The socket's last word says more of how it ended than that the two have parted.
    await settledWithin(record.ended, LIMITS.closeLingerMs)
    await record.giveBack('error', false)
    const { gone } = record
    if (gone === 'killed' || gone === 'revoked' || gone === 'worker_lost') return gone
    return ends.end !== null && isPeerEnd(ends.end) ? 'half_closed' : 'error'
  }

  #refused(error: SockpoolError): void {
    this.#deps.counts.refuse(error.code.toLowerCase())
    this.#deps.onRefused(error)
  }
}
