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
import type { GoneReason } from '../../base/errors.ts'
import { timerMs } from '../../base/timer.ts'
import type { MessageBatch } from '../../base/value-batch.ts'
import type { EndName } from '../../channel/values.ts'
import { goneError } from '../../streams/channel-ends/channel-end.ts'
import type { LentSource, LoanResult } from '../../streams/channel-ends/lent-source.ts'
import type { LeasedConnection } from '../../threads/held-connection.ts'
import type { ConnectionHolder } from '../../threads/io-connection.ts'
import type { Refusal, ReleaseResult } from '../target/release-result.ts'
import type { SlotLease } from '../target/slot.ts'
import { goneReason } from './gone-reason.ts'
import { type LeaseActivity, LeaseClock, type LeaseClockDeps } from './lease-clock.ts'
import { LeaseFlight } from './lease-flight.ts'
import { randomLeaseId } from './lease-id.ts'
import type { LeaseHolder, LeaseKeeper, LeaseTerms, LoanWork } from './lease-keeper.ts'
import type { LeaseRecordDeps } from './lease-record-deps.ts'
import { type LeaseReport, leaseReport } from './lease-report.ts'
import type { LeaseSpan } from './lease-span.ts'
import { deafened, NOBODY } from './nobody.ts'
import type { ParseCall } from './parse-port.ts'

type State =
  | { readonly kind: 'held' }
  | { readonly kind: 'lost'; readonly how: EndName }
  | { readonly kind: 'ending'; readonly lost: EndName | null }
  | { readonly kind: 'ended'; readonly reason: GoneReason }

const HELD: State = { kind: 'held' }

export class LeaseRecord implements LeaseKeeper, SlotLease, ConnectionHolder, LeaseClockDeps {
  readonly terms: LeaseTerms
  readonly connection: LeasedConnection
  readonly clock: LeaseClock
  readonly flight: LeaseFlight | null
  /** Null where nobody traces. */
  span: LeaseSpan | null = null
  readonly #deps: LeaseRecordDeps
  /** Made for whoever asks. */
  #ended: PromiseWithResolvers<GoneReason> | null = null
  /** What becomes of the connection; and who asked while it was about to be known. */
  #result: Promise<ReleaseResult> | null = null
  #awaited: PromiseWithResolvers<ReleaseResult> | null = null
  readonly #leakTimer: NodeJS.Timeout | null = null
  #holder: LeaseHolder = NOBODY
  #epoch = 0
  #id: string | null = null
  #hasLeaked = false
  #failure: unknown = null
  #state: State = HELD

  constructor(deps: LeaseRecordDeps) {
    const { leakDetectionMs, terms, recorder } = deps
    this.#deps = deps
    this.terms = terms
    this.connection = deps.connection
    this.clock = new LeaseClock(this)
    this.flight = recorder === undefined ? null : new LeaseFlight(recorder, this.clock, this)
    if (leakDetectionMs !== undefined)
      this.#leakTimer = setTimeout(() => this.#leaked(), timerMs(leakDetectionMs)).unref()
  }

  /**
   * Begins the lease with ends that `make` makes for its epoch. `thread`: the attached thread that they are on; 0: the
   * pool's own. Where `make` throws, the lease has ended.
   */
  begin<Holder extends LeaseHolder>(thread: number, make: (record: LeaseRecord) => Holder): Holder {
    this.#epoch = this.connection.hold(this, thread)
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

  /** The connection's bell is its holder's to hear. */
  rung(): void {
    this.#holder.rung()
  }

  broke(): void {
    this.#holder.broke()
  }

  get ttlMs(): number | null {
    return this.terms.ttlMs
  }

  now(): number {
    return this.#deps.now()
  }

  onExpired(): void {
    this.#deps.onExpired(this)
  }

  activity(): LeaseActivity {
    return this.#holder.activity
  }

  get ended(): Promise<GoneReason> {
    if (this.#ended === null) {
      this.#ended = Promise.withResolvers<GoneReason>()
      if (this.#state.kind === 'ended') this.#ended.resolve(this.#state.reason)
    }
    return this.#ended.promise
  }

  get id(): string {
    this.#id ??= this.#deps.newId?.() ?? randomLeaseId()
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
    const { inEnd } = this.connection.channel
    const end = lost ?? (inEnd === 'open' ? 'reset' : inEnd)
    const holder = this.#holder
    holder.lost(end)
    // From here on its ends go on telling how it broke.
    this.#holder = deafened(holder)
    void this.#end(holder.endsInOrder?.(end) === true ? 'released' : goneReason(end), 'error', false)
  }

  /** The one place where a lease ends. */
  #end(reason: GoneReason, refusal: Refusal | null, graceful: boolean): Promise<ReleaseResult> {
    if (this.#state.kind === 'ended') {
      if (this.#result !== null) return this.#result
      this.#awaited ??= Promise.withResolvers<ReleaseResult>()
      return this.#awaited.promise
    }
    this.#state = { kind: 'ended', reason }
    // An operation that runs comes to nothing any more.
    if (this.clock.isBusy && reason !== 'released') this.#failure = goneError(reason)
    this.clock.stop()
    if (this.#leakTimer) clearTimeout(this.#leakTimer)
    if (this.#hasLeaked) this.#deps.onLeak('leak_over')
    this.#holder.ended(reason)
    const result = this.#given(refusal, graceful)
    this.#result = result
    this.#awaited?.resolve(result)
    this.connection.fence()
    this.#deps.keepAlive(false)
    this.#ended?.resolve(reason)
    this.#deps.onEnded()
    return result
  }

  /** Gives the connection back; never rejects. */
  #given(refusal: Refusal | null, graceful: boolean): Promise<ReleaseResult> {
    try {
      return this.#deps.giveBack(refusal, graceful, this.#failure)
    } catch (error) {
      this.fault(error)
      return Promise.resolve({ outcome: 'closed', reason: 'error' })
    }
  }

  #leaked(): void {
    this.#hasLeaked = true
    this.#deps.onLeak('leak')
  }

  #assertHeld(): void {
    if (this.#state.kind === 'ended') throw goneError(this.#state.reason)
  }
}
