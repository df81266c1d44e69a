/**
 * A lease of the service, as far as the program at this end holds it: its id, its stream, and the renewals without which it
 * would expire. What the program has in hand is a RemoteLease; this goes on for as long as that is reachable.
 */
import { CLIENT_LIMITS } from '../base/client-limits.ts'
import { END_LIMITS } from '../base/end-limits.ts'
import { type GoneReason, hasCode, SockpoolError } from '../base/errors.ts'
import { timerMs } from '../base/timer.ts'
import type { ConnectionFacts } from '../pool/lease/connection-facts.ts'
import type { Refusal, ReleaseResult } from '../pool/target/release-result.ts'
import { endAfter } from './after-close.ts'
import { RemoteStream } from './remote-stream.ts'
import type { ServiceCall, ServiceCaller } from './service-caller.ts'
import { jsonOf } from './wire.ts'

/** What the service says of a lease. */
export type LeaseView = {
  readonly id: string
  readonly target: string
  readonly reused: boolean
  readonly expiresAt: string | null
  readonly connection: ConnectionFacts
  readonly readOffset?: number
}

export type RemoteKeeperDeps = {
  readonly caller: ServiceCaller
  readonly view: LeaseView
  /** Milliseconds, as far as they are known; null where the caller named none and the service's clock cannot be seen. */
  readonly ttlMs: number | null
  /** The service keeps what was read last, so that a read can be made again from the same place. */
  readonly isReplayed: boolean
  readonly onEnded: () => void
}

export class RemoteKeeper {
  readonly id: string
  readonly target: string
  readonly reused: boolean
  readonly isReplayed: boolean
  readonly stream: RemoteStream
  readonly #caller: ServiceCaller
  readonly #onEnded: () => void
  #connection: ConnectionFacts
  #ttlMs: number | null
  #expiresAt: Date | null
  #gone: GoneReason | null = null
  #timer: ReturnType<typeof setTimeout> | null = null
  #givenBack: Promise<ReleaseResult> | null = null
  #isAborted = false

  constructor({ caller, view, ttlMs, isReplayed, onEnded }: RemoteKeeperDeps) {
    this.#caller = caller
    this.#onEnded = onEnded
    this.id = view.id
    this.target = view.target
    this.reused = view.reused
    this.isReplayed = isReplayed
    this.#connection = view.connection
    this.#ttlMs = ttlMs
    this.#expiresAt = instant(view.expiresAt)
    this.stream = new RemoteStream({
      caller,
      path: this.#path,
      probe: async () => void (await this.look()),
      onOpen: isOpen => (isOpen ? this.#stopRenewing() : this.#renewLater()),
      onFailed: error => this.#failed(error),
      close: async () =>
        void (await this.call({ name: 'close()', method: 'POST', verb: 'close', repeat: 'always' })),
      abort: () => this.#abort(),
    })
    this.#renewLater()
  }

  get connection(): ConnectionFacts {
    return this.#connection
  }

  get expiresAt(): Date | null {
    return this.#expiresAt
  }

  get gone(): GoneReason | null {
    return this.#gone
  }

  /** Errors: LEASE_GONE. */
  assertHeld(): void {
    if (this.#gone !== null) throw leaseGone(this.#gone)
  }

  /** A call on the lease; one that finds it gone ends it here. Errors: those of the call. */
  async call({
    verb,
    ...call
  }: Omit<ServiceCall, 'path'> & { readonly verb?: string }): Promise<
    Awaited<ReturnType<ServiceCaller['call']>>
  > {
    try {
      return await this.#caller.call({
        ...call,
        path: verb === undefined ? this.#path : `${this.#path}/${verb}`,
      })
    } catch (error) {
      if (isGone(error)) this.#failed(error)
      throw error
    }
  }

  /** How the lease stands; in one try where nothing else is said. Errors: those of the call. */
  async look(
    tries: Pick<ServiceCall, 'retry'> = { retry: { attempts: 1, budgetMs: 0 } },
  ): Promise<LeaseView> {
    const answer = await this.#caller.call({
      name: 'lease',
      method: 'GET',
      path: this.#path,
      repeat: 'always',
      ...tries,
      answerMs: CLIENT_LIMITS.serviceConnectMs,
    })
    return jsonOf<LeaseView>(answer)
  }

  /** Milliseconds, or null: as long as this end lives. Errors: LEASE_GONE, those of the call. */
  async renew(ttlMs: number | null | undefined): Promise<Date | null> {
    this.assertHeld()
    const asked = ttlMs === undefined ? this.#ttlMs : ttlMs
    const ttl = Math.min(
      Math.max(1, asked ?? this.#ttlMs ?? CLIENT_LIMITS.renewMsMax * 3),
      CLIENT_LIMITS.leaseTtlMsMax,
    )
    const answer = await this.call({
      name: 'renew()',
      method: 'PATCH',
      json: { ttlMs: ttl },
      repeat: 'always',
    })
    const { expiresAt } = jsonOf<LeaseView>(answer)
    this.#ttlMs = ttl
    this.#expiresAt = instant(expiresAt)
    this.#renewLater()
    return ttlMs === null ? null : this.#expiresAt
  }

  /** TLS was started on the connection. */
  secured(tls: ConnectionFacts['tls']): void {
    this.#connection = { ...this.#connection, tls }
  }

  /**
   * Ends the lease: `refusal` says why its connection may not serve again, null leaves that to the service. Later calls
   * answer as the first. Errors: none.
   */
  giveBack(refusal: Refusal | null): Promise<ReleaseResult> {
    this.#givenBack ??= this.#giveBack(refusal)
    return this.#givenBack
  }

  async #giveBack(refusal: Refusal | null): Promise<ReleaseResult> {
    const before = this.#gone
    this.#end('released')
    if (this.#isAborted) return { outcome: 'closed', reason: 'discarded' }
    if (before !== null) return { outcome: 'closed', reason: before === 'killed' ? 'killed' : 'error' }
    const isLeft = refusal === null && (await this.#left())
    const reason = refusal ?? (isLeft ? null : 'unsent')
    this.stream.over({ kind: 'failed', error: leaseGone('released'), isRevoked: true })
    try {
      const query = reason === null ? {} : { discard: true }
      const answer = await this.call({ name: 'release()', method: 'DELETE', query, repeat: 'always' })
      const result = jsonOf<ReleaseResult>(answer)
      return reason === null ? result : { outcome: 'closed', reason }
    } catch (error) {
      if (!(error instanceof SockpoolError)) throw error
      // It is the service's to end: at once, or when nobody renews it any more.
      return { outcome: 'closed', reason: reason ?? 'error' }
    }
  }

  /** What was written is with the service, which knows what was read; within the time that a close has. */
  async #left(): Promise<boolean> {
    this.stream.sink.takeAll()
    const revoked = { kind: 'failed', error: leaseGone('released'), isRevoked: true } as const
    this.stream.revoke(revoked)
    try {
      await this.stream.leaveForGood({ timeoutMs: END_LIMITS.closeLingerMs })
      return this.stream.sink.pending === 0
    } catch (error) {
      if (error instanceof SockpoolError) return false
      throw error
    }
  }

  /** The writer was aborted: the connection goes at once, and the lease with it. */
  async #abort(): Promise<void> {
    this.#isAborted = true
    this.#stopRenewing()
    await this.call({ name: 'abort()', method: 'DELETE', query: { kill: true }, repeat: 'always' })
  }

  get #path(): string {
    return `/v1/leases/${this.id}`
  }

  #failed(error: SockpoolError): void {
    if (!isGone(error) || this.#gone !== null) return
    const reason = (error.reason ?? 'expired') as GoneReason
    this.#end(reason)
    this.stream.over(endAfter(leaseGone(reason)))
  }

  #end(reason: GoneReason): void {
    if (this.#gone !== null) return
    this.#gone = reason
    this.#stopRenewing()
    this.#onEnded()
  }

  #stopRenewing(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  /** At a third of its time, so that two renewals may fail. While a stream is open the service lets no lease expire. */
  #renewLater(): void {
    this.#stopRenewing()
    if (this.#gone !== null || this.#isAborted || this.stream?.isOpen) return
    const third = (this.#ttlMs ?? CLIENT_LIMITS.renewMsMax * 3) / 3
    const ms = Math.min(Math.max(third, CLIENT_LIMITS.renewMsMin), CLIENT_LIMITS.renewMsMax)
    this.#timer = setTimeout(() => {
      // The next one is due whatever comes of this one; a lease that is gone has none.
      this.#renewLater()
      this.renew(undefined).catch(() => 'told by the next call')
    }, timerMs(ms))
    letExit(this.#timer)
  }
}

/** A timer that keeps no process alive, where timers do. */
export function letExit(timer: ReturnType<typeof setTimeout>): void {
  if (typeof timer === 'object') timer.unref()
}

export function leaseGone(reason: GoneReason): SockpoolError {
  return new SockpoolError('LEASE_GONE', `this lease has ended: ${reason}`, { reason })
}

function isGone(error: unknown): error is SockpoolError {
  return hasCode(error, 'LEASE_GONE') || hasCode(error, 'LEASE_NOT_FOUND')
}

function instant(text: string | null): Date | null {
  return text === null ? null : new Date(text)
}
