/**
 * A listener whose connections are leased one by one. Each that is accepted waits for a call of the listener's tenant; calls
 * that find none wait for the next. First come, first served, on both sides, so that only one of the sides ever waits.
 *
 *   binding ──► listening ──close, ttl, revoked rule, lost worker, drain──► ended
 */
import { SockpoolError } from '../../base/errors.ts'
import { PlacedQueue } from '../../base/placed-queue.ts'
import { Queue, type QueueEntry } from '../../base/queue.ts'
import { Wait, type WaitOptions } from '../../base/wait.ts'
import type { IoConnection } from '../../threads/io-connection.ts'
import type { BoundAddress } from '../../threads/protocol.ts'
import type { Incoming, OnIncoming } from '../../threads/thread-listeners.ts'
import { Lease } from '../lease/lease.ts'
import { LeaseClock } from '../lease/lease-clock.ts'
import type { WaiterCount } from '../target/waiter-count.ts'
import type { AcceptedConnection } from './accepted-connection.ts'
import type { Listening } from './server.ts'

/** Why a listener is no more. */
export type ListenerEnd = 'closed' | 'expired' | 'revoked' | 'failed' | 'draining'

/** What becomes of the leases on its connections when it is closed. */
export type ClientsFate = 'close' | 'abort' | 'keep'

export type LeaseListenOptions = {
  readonly tenant: string
  /** Accepted connections that may wait for a call; who comes beyond is disconnected. */
  readonly backlog: number
  /** Accepted connections at once, waiting or leased; null: no bound of its own. */
  readonly maxConnections: number | null
  /** Milliseconds without an accept call after which it ends; a call that waits keeps it. */
  readonly ttlMs: number
}

export type AcceptOptions = WaitOptions & {
  /** Of the lease; default: as of every lease of the pool. */
  readonly ttlMs?: number | undefined
}

export type ListenerStats = {
  /** Connections that wait for a call, and that are leased. */
  readonly waiting: number
  readonly leased: number
  /** Calls that wait for a connection. */
  readonly calls: number
  /** So far: connections that were leased, and that were disconnected as there was no room. */
  readonly accepted: number
  readonly refused: number
}

/** Connections that were there when it was closed: those that nobody had taken, which are cut, and leases. */
export type ListenerClosed = { readonly dropped: number; readonly leased: number }

export type LeaseListenerDeps = LeaseListenOptions & {
  readonly now: () => number
  readonly waiterCount: WaiterCount
  readonly bind: (onIncoming: OnIncoming, onFailed: (error: SockpoolError) => void) => Promise<Listening>
  /** Whether all listeners together, and those of its tenant, have room for one more connection that waits. */
  readonly hasRoom: () => boolean
  /** `onGone`: its socket is gone. */
  readonly adopt: (
    connection: IoConnection,
    onGone: (accepted: AcceptedConnection) => void,
  ) => AcceptedConnection
  /** Called once. */
  readonly onEnded: (listener: LeaseListener) => void
  readonly onFault: (error: unknown) => void
}

type Call = { readonly wait: Wait<Lease>; readonly ttlMs: number | undefined }

type State =
  | { readonly kind: 'binding' }
  | { readonly kind: 'listening'; readonly listening: Listening }
  | { readonly kind: 'ended'; readonly reason: ListenerEnd; readonly closed: Promise<ListenerClosed> }

export class LeaseListener {
  readonly #deps: LeaseListenerDeps
  readonly #clock: LeaseClock
  readonly #connections = new Set<AcceptedConnection>()
  readonly #unclaimed = new Queue<AcceptedConnection>()
  readonly #calls = new PlacedQueue<Call>()
  readonly #ended = Promise.withResolvers<ListenerEnd>()
  #address: BoundAddress = { address: '', port: 0, family: 'IPv4' }
  #state: State = { kind: 'binding' }
  #adopting = 0
  #accepted = 0
  #refused = 0

  private constructor(deps: LeaseListenerDeps) {
    this.#deps = deps
    this.#clock = new LeaseClock({
      ttlMs: null,
      now: deps.now,
      onExpired: () => this.#report(this.#end('expired', 'keep')),
    })
  }

  /** One that listens. Errors: LISTEN_FAILED, DNS_FAILED, WORKER_LOST. */
  static async bind(deps: LeaseListenerDeps): Promise<LeaseListener> {
    const listener = new LeaseListener(deps)
    const listening = await deps.bind(
      incoming => listener.#incoming(incoming),
      error => listener.#failed(error),
    )
    listener.#begin(listening)
    return listener
  }

  get tenant(): string {
    return this.#deps.tenant
  }

  get backlog(): number {
    return this.#deps.backlog
  }

  get maxConnections(): number | null {
    return this.#deps.maxConnections
  }

  /** The first address that it was bound to, with the real port. */
  get address(): BoundAddress {
    return this.#address
  }

  /** When it ends where nobody calls. */
  get expiresAt(): Date | null {
    return this.#clock.expiresAt
  }

  /** Resolves when it has ended; never rejects. */
  get ended(): Promise<ListenerEnd> {
    return this.#ended.promise
  }

  /** Connections that are on their way, or wait, for a call. */
  get unclaimed(): number {
    return this.#adopting + this.#unclaimed.size
  }

  /**
   * A lease on the next accepted connection.
   *
   * Errors: WAIT_TIMEOUT with `position` where none comes, ABORTED, QUEUE_FULL where no more may wait, or no more leases are
   * held; LISTENER_NOT_FOUND with its reason where the listener ends, DRAINING.
   */
  async accept(options: AcceptOptions = {}): Promise<Lease> {
    const state = this.#state
    if (state.kind === 'ended') throw listenerGone(state.reason)
    this.#clock.begin('accept')
    try {
      const { first } = this.#unclaimed
      return first === null ? await this.#wait(options) : this.#claim(first, options.ttlMs)
    } finally {
      this.#clock.end()
    }
  }

  /** Ends it; resolves when nothing listens any more. A repeat answers as the first. */
  async close(clients: ClientsFate = 'keep', reason: ListenerEnd = 'closed'): Promise<ListenerClosed> {
    return await this.#end(reason, clients)
  }

  /** Ends it, and every lease on its connections: its tenant may have none of them any more. How many leases that were. */
  revoke(): number {
    const { leased } = this.stats()
    this.#report(this.#end('revoked', 'keep'))
    for (const connection of [...this.#connections]) connection.kill('revoked')
    return leased
  }

  stats(): ListenerStats {
    let leased = 0
    for (const { state } of this.#connections) if (state === 'leased') leased++
    return {
      waiting: this.#unclaimed.size,
      leased,
      calls: this.#calls.size,
      accepted: this.#accepted,
      refused: this.#refused,
    }
  }

  #begin(listening: Listening): void {
    this.#address = listening.addresses[0] ?? this.#address
    const state = this.#state
    // It was ended while it was being bound.
    if (state.kind === 'ended') {
      this.#report(listening.close())
      throw listenerGone(state.reason)
    }
    this.#state = { kind: 'listening', listening }
    this.#clock.handOut(this.#deps.ttlMs)
    listening.serve()
  }

  async #wait({ ttlMs, ...bounds }: AcceptOptions): Promise<Lease> {
    const { waiterCount } = this.#deps
    if (waiterCount.isFull) throw new SockpoolError('QUEUE_FULL', `${waiterCount.max} callers wait already`)
    let entry: QueueEntry<Call> | null = null
    const leave = (error: SockpoolError): void => {
      if (entry !== null) error.add({ position: this.#calls.placeOf(entry) + 1 })
    }
    const wait = new Wait<Lease>('the wait for a connection', 'WAIT_TIMEOUT', bounds, leave)
    entry = this.#calls.add({ wait, ttlMs })
    waiterCount.joined()
    try {
      return await wait.promise
    } finally {
      this.#calls.remove(entry)
      waiterCount.left()
    }
  }

  /** Errors: QUEUE_FULL, DRAINING: it goes on to wait. */
  #claim(entry: QueueEntry<AcceptedConnection>, ttlMs: number | undefined): Lease {
    const lease = this.#lease(entry.value, ttlMs)
    this.#unclaimed.remove(entry)
    return lease
  }

  #lease(accepted: AcceptedConnection, ttlMs: number | undefined): Lease {
    const { keeper, ends } = accepted.claim(ttlMs)
    this.#accepted++
    return new Lease(keeper, ends)
  }

  #incoming(incoming: Incoming): void {
    const { backlog, maxConnections, hasRoom } = this.#deps
    const count = this.#connections.size + this.#adopting
    // One that a call waits for takes no room from those that nobody wants yet.
    const isWanted = this.#calls.size > this.#adopting
    const hasPlace = maxConnections === null || count < maxConnections
    const mayWait = isWanted || (this.unclaimed < backlog && hasRoom())
    if (this.#state.kind !== 'listening' || !hasPlace || !mayWait) return this.#refuse(incoming)
    this.#adopting++
    incoming
      .adopt()
      .finally(() => {
        this.#adopting--
      })
      .then(
        connection => this.#arrived(connection),
        error => {
          // One that hung up meanwhile was nobody's.
          if (error instanceof SockpoolError && error.code === 'QUEUE_FULL') this.#refuse(incoming)
          else incoming.refuse()
        },
      )
      .catch(this.#deps.onFault)
  }

  #refuse(incoming: Incoming): void {
    this.#refused++
    incoming.refuse()
  }

  #arrived(connection: IoConnection): void {
    if (connection.isGone) return
    let entry: QueueEntry<AcceptedConnection> | null = null
    const accepted = this.#deps.adopt(connection, gone => {
      if (entry !== null) this.#unclaimed.remove(entry)
      this.#connections.delete(gone)
    })
    if (this.#state.kind !== 'listening') return accepted.kill('killed')
    this.#connections.add(accepted)
    if (!this.#handToCall(accepted)) entry = this.#unclaimed.add(accepted)
  }

  /** False where no call waits for it, or none may have it. */
  #handToCall(accepted: AcceptedConnection): boolean {
    for (;;) {
      const { first } = this.#calls
      if (first === null) return false
      this.#calls.remove(first)
      const { wait, ttlMs } = first.value
      if (wait.settled) continue
      try {
        wait.resolve(this.#lease(accepted, ttlMs))
        return true
      } catch (error) {
        wait.reject(error as SockpoolError)
      }
    }
  }

  #failed(error: SockpoolError): void {
    this.#deps.onFault(error)
    this.#report(this.#end('failed', 'keep', error))
  }

  #end(
    reason: ListenerEnd,
    clients: ClientsFate,
    error: SockpoolError = listenerGone(reason),
  ): Promise<ListenerClosed> {
    const state = this.#state
    if (state.kind === 'ended') return state.closed
    const { promise, resolve } = Promise.withResolvers<ListenerClosed>()
    this.#state = { kind: 'ended', reason, closed: promise }
    this.#clock.stop()
    const counts = this.#endConnections(clients)
    for (const { value } of this.#calls) value.wait.reject(error)
    this.#ended.resolve(reason)
    this.#deps.onEnded(this)
    const closing = state.kind === 'listening' ? state.listening.close() : Promise.resolve()
    closing.catch(this.#deps.onFault).then(() => resolve(counts), this.#deps.onFault)
    return promise
  }

  #endConnections(clients: ClientsFate): ListenerClosed {
    let [dropped, leased] = [0, 0]
    for (const connection of [...this.#connections]) {
      if (connection.state === 'waiting') {
        dropped++
        connection.kill('killed')
      } else if (connection.state === 'leased') {
        leased++
        if (clients === 'close') connection.close()
        if (clients === 'abort') connection.kill('killed')
      }
    }
    return { dropped, leased }
  }

  /** Of what nobody awaits. */
  #report(work: Promise<unknown>): void {
    work.catch(this.#deps.onFault)
  }
}

/** What every call on a listener that has ended fails with. */
export function listenerGone(reason: ListenerEnd): SockpoolError {
  if (reason === 'draining')
    return new SockpoolError('DRAINING', 'the service is shutting down and accepts no more connections')
  return new SockpoolError('LISTENER_NOT_FOUND', `this listener has ended: ${reason}`, { reason })
}
