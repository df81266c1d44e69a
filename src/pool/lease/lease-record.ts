/**
 * What a lease is: one record for each, on the pool's thread, wherever its ends are. On an attached thread one of the same
 * make stands for it, and has the pool's follow by messages.
 *
 *   held ──the connection is gone──► lost            what was received is still its holder's to read
 *     └──────────────┴──beginRelease──► ending       its last bytes are being sent; nothing renews it any more
 *   any of them ──giveBack, kill, expiry, spent──► ended
 *
 * `#end` alone ends it: first the ends let go of the channel, then the connection is given back, which ends their
 * tenure. While another thread reads for it, the channel is pinned until that thread is known to be done: whenever
 * a borrower returns, and to whatever state, it has nothing to undo.
 */
import { randomBytes } from 'node:crypto'
import type { GoneReason } from '../../base/errors.ts'
import { timerMs } from '../../base/timer.ts'
import type { MessageBatch } from '../../base/value-batch.ts'
import type { EndName } from '../../channel/values.ts'
import { goneError } from '../../streams/channel-ends/channel-end.ts'
import type { LentSource, LoanResult } from '../../streams/channel-ends/lent-source.ts'
import type { LeasedConnection } from '../../threads/held-connection.ts'
import type { FlightRecorder } from '../target/flight-recorder.ts'
import type { Refusal, ReleaseResult } from '../target/release-result.ts'
import type { SlotLease } from '../target/slot.ts'
import { goneReason } from './gone-reason.ts'
import { LeaseClock } from './lease-clock.ts'
import { LeaseFlight } from './lease-flight.ts'
import type { LeaseHolder, LeaseKeeper, LeaseTerms, LoanWork } from './lease-keeper.ts'
import { type LeaseOrigin, type LeaseReport, leaseReport } from './lease-report.ts'
import type { LoanPort, ParseCall } from './parse-port.ts'

export type LeaseRecordDeps = {
  readonly terms: LeaseTerms
  readonly connection: LeasedConnection
  readonly parse: LoanPort
  /** The monotonic clock. */
  readonly now: () => number
  /** Of its connection; default: nothing is kept. */
  readonly recorder?: FlightRecorder | undefined
  readonly leakDetectionMs?: number | undefined
  /** Where it was asked for. */
  readonly origin?: LeaseOrigin | undefined
  /** Gives the connection back; called once. `failure`: what its last operation failed with; null where it did not. */
  readonly giveBack: (refusal: Refusal | null, graceful: boolean, failure: unknown) => Promise<ReleaseResult>
  /** Whether the lease keeps the process alive; off at first. */
  readonly keepAlive: (isOn: boolean) => void
  /** Its ttl is over: to be answered by `kill`, by whoever has the say. */
  readonly onExpired: (record: LeaseRecord) => void
  /** Called once, when the lease has ended. */
  readonly onEnded: () => void
  /** Its holder has renewed it, with a new ttl where one is given; or wants nothing more than its last bytes sent. */
  readonly onRenewed?: ((ttlMs: number | null | undefined) => void) | undefined
  readonly onEnding?: (() => void) | undefined
  /** It is held for longer than `leakDetectionMs`; or it was, and has come back after all. */
  readonly onLeak: (kind: 'leak' | 'leak_over') => void
  /** A fault of ours, which nobody awaits. */
  readonly onFault: (error: unknown) => void
}

type State =
  | { readonly kind: 'held' }
  | { readonly kind: 'lost'; readonly how: EndName }
  | { readonly kind: 'ending'; readonly lost: EndName | null }
  | { readonly kind: 'ended'; readonly reason: GoneReason; readonly result: Promise<ReleaseResult> }

/** Stands for the ends before they are there. */
const NOBODY: LeaseHolder = {
  bytesIn: 0,
  bytesOut: 0,
  replayBytes: 0,
  activity: { waits: false, bytes: 0 },
  isSpent: () => false,
  rung: () => {},
  broke: () => {},
  lost: () => {},
  ended: () => {},
}

export class LeaseRecord implements LeaseKeeper, SlotLease {
  readonly terms: LeaseTerms
  readonly connection: LeasedConnection
  readonly clock: LeaseClock
  readonly flight: LeaseFlight | null
  readonly ended: Promise<GoneReason>
  readonly #deps: LeaseRecordDeps
  readonly #resolveEnded: (reason: GoneReason) => void
  readonly #leakTimer: NodeJS.Timeout | null = null
  #holder: LeaseHolder = NOBODY
  #epoch = 0
  #id: string | null = null
  #hasLeaked = false
  #failure: unknown = null
  #state: State = { kind: 'held' }

  constructor(deps: LeaseRecordDeps) {
    const { leakDetectionMs, terms, now, recorder } = deps
    this.#deps = deps
    this.terms = terms
    this.connection = deps.connection
    const { promise, resolve } = Promise.withResolvers<GoneReason>()
    this.ended = promise
    this.#resolveEnded = resolve
    this.clock = new LeaseClock({
      ttlMs: terms.ttlMs,
      now,
      onExpired: () => deps.onExpired(this),
      activity: () => this.#holder.activity,
    })
    this.flight = recorder === undefined ? null : new LeaseFlight(recorder, this.clock, this)
    if (leakDetectionMs !== undefined)
      this.#leakTimer = setTimeout(() => this.#leaked(), timerMs(leakDetectionMs)).unref()
  }

  /**
   * Begins the lease with ends that `make` makes for its epoch. `thread`: the attached thread that they are on; 0: the
   * pool's own. Where `make` throws, the lease has ended.
   */
  begin<Holder extends LeaseHolder>(thread: number, make: (record: LeaseRecord) => Holder): Holder {
    const bell = { rung: () => this.#holder.rung(), broke: () => this.#holder.broke() }
    this.#epoch = this.connection.hold(bell, thread)
    this.#deps.keepAlive(true)
    try {
      const holder = make(this)
      this.#holder = holder
      return holder
    } catch (error) {
      this.kill('killed')
      throw error
    }
  }

  get id(): string {
    this.#id ??= randomBytes(32).toString('base64url')
    return this.#id
  }

  /** Whether this is its id; one that nobody has asked for is none. */
  isCalled(id: string): boolean {
    return this.#id === id
  }

  get epoch(): number {
    return this.#epoch
  }

  get gone(): GoneReason | null {
    return this.#state.kind === 'ended' ? this.#state.reason : null
  }

  get isEnding(): boolean {
    return this.#state.kind === 'ending'
  }

  get lost(): EndName | null {
    const state = this.#state
    switch (state.kind) {
      case 'lost':
        return state.how
      case 'ending':
        return state.lost
      case 'held':
      case 'ended':
        return null
      default:
        return state satisfies never
    }
  }

  get ageMs(): number {
    return this.clock.ageMs
  }

  get idleMs(): number {
    return this.clock.idleMs
  }

  get lastOperation(): string | null {
    return this.clock.lastOperation
  }

  get bytesIn(): number {
    return this.#holder.bytesIn
  }

  get bytesOut(): number {
    return this.#holder.bytesOut
  }

  get replayBytes(): number {
    return this.#holder.replayBytes
  }

  get report(): LeaseReport {
    return leaseReport(this, this.#deps.origin)
  }

  async operation<T>(name: string, run: () => Promise<T>): Promise<T> {
    this.#assertHeld()
    const { flight } = this
    const call = flight === null ? -1 : flight.begin(name)
    this.clock.begin(name)
    try {
      const value = await run()
      this.#failure = null
      flight?.end(call, null)
      return value
    } catch (error) {
      this.#failure = error
      flight?.end(call, error)
      throw error
    } finally {
      this.clock.end()
      this.#endIfSpent()
    }
  }

  served(name: string): void {
    if (this.clock.served(name)) this.#deps.onRenewed?.(undefined)
    this.flight?.served(name)
    this.#endIfSpent()
  }

  renew(ttlMs: number | null | undefined): void {
    this.#assertHeld()
    this.clock.renew(ttlMs)
    this.#deps.onRenewed?.(ttlMs)
  }

  beginRelease(): void {
    if (this.#state.kind === 'ended') return
    this.#state = { kind: 'ending', lost: this.lost }
    this.clock.freeze()
    this.#deps.onEnding?.()
  }

  giveBack(refusal: Refusal | null, graceful: boolean): Promise<ReleaseResult> {
    return this.#end('released', refusal, graceful)
  }

  kill(reason: GoneReason): void {
    const isByOperator = reason === 'killed' || reason === 'revoked'
    void this.#end(reason, isByOperator ? reason : 'discarded', false)
  }

  forget(): void {
    if (this.lost !== null) this.#holder = deafened(this.#holder)
    void this.#end('released', 'error', false)
  }

  async lend(
    lent: LentSource,
    work: LoanWork,
    call: ParseCall,
    takeBack: (result: LoanResult) => void,
  ): Promise<LoanResult> {
    const { connection } = this
    connection.pin()
    let done = Promise.resolve()
    try {
      const result = await work(this.#deps.parse, lent, { ...call, tenant: this.terms.tenant })
      if (result.reader.kind === 'lost') done = result.reader.threadGone
      takeBack(result)
      return result
    } finally {
      done.then(
        () => connection.unpin(),
        error => this.fault(error),
      )
    }
  }

  parseBatch(format: string, bytes: Uint8Array<ArrayBuffer>, options?: object): Promise<MessageBatch> {
    const { tenant } = this.terms
    return this.#deps.parse.parseBatch(format, bytes, options, { tenant })
  }

  keepAlive(isOn: boolean): void {
    if (this.#state.kind !== 'ended') this.#deps.keepAlive(isOn)
  }

  fault(error: unknown): void {
    this.#deps.onFault(error)
  }

  settle(row: number): void {
    this.flight?.settle(row)
  }

  /** The socket is gone; called before the channel serves another connection. */
  connectionLost(how: EndName): void {
    const state = this.#state
    if (state.kind === 'ended') return
    this.#state = state.kind === 'ending' ? { ...state, lost: how } : { kind: 'lost', how }
    this.#holder.lost(how)
    this.#endIfSpent()
  }

  #endIfSpent(): void {
    const { lost } = this
    if (this.#state.kind === 'ended' || this.clock.isBusy || !this.#holder.isSpent(lost)) return
    const end = lost ?? this.connection.channel.inEnd
    this.#holder.lost(end === 'open' ? 'reset' : end)
    // From here on its ends go on telling how it broke.
    this.#holder = deafened(this.#holder)
    void this.#end(goneReason(end === 'open' ? 'reset' : end), 'error', false)
  }

  /** The one place where a lease ends. */
  #end(reason: GoneReason, refusal: Refusal | null, graceful: boolean): Promise<ReleaseResult> {
    if (this.#state.kind === 'ended') return this.#state.result
    const { promise, resolve } = Promise.withResolvers<ReleaseResult>()
    this.#state = { kind: 'ended', reason, result: promise }
    this.clock.stop()
    if (this.#leakTimer) clearTimeout(this.#leakTimer)
    if (this.#hasLeaked) this.#deps.onLeak('leak_over')
    this.#holder.ended(reason)
    this.#deps.giveBack(refusal, graceful, this.#failure).then(resolve, error => {
      this.fault(error)
      resolve({ outcome: 'closed', reason: 'error' })
    })
    this.connection.fence()
    this.#deps.keepAlive(false)
    this.#resolveEnded(reason)
    this.#deps.onEnded()
    return promise
  }

  #leaked(): void {
    this.#hasLeaked = true
    this.#deps.onLeak('leak')
  }

  #assertHeld(): void {
    if (this.#state.kind === 'ended') throw goneError(this.#state.reason)
  }
}

/** Stands for ends that have nothing more to hear. */
function deafened({ bytesIn, bytesOut }: LeaseHolder): LeaseHolder {
  return { ...NOBODY, bytesIn, bytesOut }
}
