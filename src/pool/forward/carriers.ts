/**
 * The connections that carry the messages of one front door, each for one client at a time, and the clients that wait for
 * one. What a client is done with goes to the next that waits, without the way over the pool, for a short while: then, or
 * where nobody waits, or somebody else waits for the target, the pool has it back, to judge it and to give it to whoever is
 * next.
 */
import { copyError, type ErrorCode, SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import type { Frame } from '../../frames/frame.ts'
import type { FrameSpec } from '../../frames/frame-spec.ts'
import type { IoConnection } from '../../threads/io-connection.ts'
import type { Held } from '../lease/exchange.ts'
import type { DialWish } from '../target/dial-wish.ts'
import type { TargetPool } from '../target/target-pool.ts'
import type { WaiterCount } from '../target/waiter-count.ts'
import { Waiters } from '../target/waiters.ts'
import { Carrier } from './carrier.ts'
import { FrontDesk } from './front-desk.ts'

export type CarriersDeps = {
  /** Errors: TARGET_NOT_FOUND. */
  readonly pool: () => TargetPool
  /** Errors: TARGET_DENIED where the target has no frame any more by which messages could be told apart. */
  readonly frame: () => Frame
  readonly tenant: string
  /** A lease of the target's. `waitMs`: Infinity for as long as it takes. Errors: as Leases.acquire. */
  readonly acquire: (signal: AbortSignal, waitMs: number, wish: DialWish | null) => Promise<Held>
  readonly waiterCount: WaiterCount
  readonly now: () => number
  /** A fault of ours, which nobody awaits. */
  readonly onFault: (error: unknown) => void
}

/** What concerns all who wait, and not only the next of them. */
const FOR_ALL: ReadonlySet<ErrorCode> = new Set([
  'BREAKER_OPEN',
  'DRAINING',
  'TARGET_PAUSED',
  'TARGET_NOT_FOUND',
])

export class Carriers {
  readonly #deps: CarriersDeps
  readonly #waiters: Waiters<readonly [Carrier]>
  readonly #out = new Set<Carrier>()
  readonly #desks = new Set<FrontDesk>()
  /** Looks now and then whether somebody else waits for what is lent to desks. */
  #turns: NodeJS.Timeout | null = null
  /** Leases that are waited for. */
  readonly #acquires = new Set<AbortController>()
  #isClosed = false

  constructor(deps: CarriersDeps) {
    this.#deps = deps
    const { waiterCount: count, now } = deps
    this.#waiters = new Waiters({
      count,
      now,
      explain: (error, position) => error.add({ position, bytesAccepted: 0 }),
      onLeft: () => this.#stopAcquires(),
    })
  }

  /** Connections that are some client's at the moment. */
  get size(): number {
    return this.#out.size
  }

  get waiting(): number {
    return this.#waiters.size
  }

  /** Clients that wait, less the leases that are waited for on their behalf. */
  get ahead(): number {
    return this.#wanted - this.#acquires.size
  }

  /**
   * A connection for one client, which gives it back by `give` or keeps it by `keep`. Errors: WAIT_TIMEOUT, QUEUE_FULL,
   * POOL_EXHAUSTED, BREAKER_OPEN, TARGET_PAUSED, TARGET_NOT_FOUND, DRAINING, and those of the dial.
   */
  async acquire(): Promise<Carrier> {
    const { waiterCount, tenant, now } = this.#deps
    if (this.#isClosed) throw new SockpoolError('DRAINING', 'the front door is closed')
    const { target, tally } = this.#deps.pool()
    const { waitTimeoutMs: timeoutMs } = target.pool
    if (waiterCount.isFull) {
      const full = new SockpoolError('QUEUE_FULL', `${waiterCount.max} callers wait already`)
      tally?.acquired.failed(0, full)
      throw full
    }
    const sinceMs = now()
    const served = this.#waiters.add({ tenant }, timeoutMs > 0 ? { timeoutMs } : {}, carrier => carrier)
    this.#pump()
    try {
      return await served
    } catch (error) {
      // The leases that are waited for on its behalf have no bound: whatever else ends the wait, they have counted.
      const isOwn = timeoutMs > 0 && SockpoolError.from(error).code === 'WAIT_TIMEOUT'
      if (isOwn) tally?.acquired.failed(now() - sinceMs, error)
      throw error
    }
  }

  /** A client is done with it. */
  give(carrier: Carrier): void {
    if (this.#mayGoOn(carrier)) this.#serve(carrier)
    else this.#letGo(carrier)
  }

  /** Clients of this desk have connections, too, in the order in which it asks. */
  openDesk({ desks, thread }: Pick<IoConnection, 'desks' | 'thread'>, spec: FrameSpec): FrontDesk {
    const desk = new FrontDesk({
      ...{ desks, thread, spec, frame: this.#deps.frame() },
      onWanted: () => this.#pump(),
      onReturned: carrier => this.#letGo(carrier),
      isOver: () => this.#isClosed,
    })
    this.#desks.add(desk)
    return desk
  }

  closeDesk(desk: FrontDesk): void {
    this.#desks.delete(desk)
    desk.close()
  }

  /** A client keeps it; it is none of these any more. */
  keep(carrier: Carrier): Held {
    this.#out.delete(carrier)
    return carrier.held
  }

  /** To be called now and then, and when an operator has spoken. */
  tend(): void {
    this.#takeTurns()
    if (this.#waiters.size === 0) return
    try {
      const { refusal } = this.#deps.pool().control
      if (refusal !== null) this.#failAll(refusal)
    } catch (error) {
      this.#failAll(SockpoolError.from(error))
    }
    this.#pump()
  }

  /** Ends all of it at once. */
  close(): void {
    this.#isClosed = true
    this.#failAll(new SockpoolError('DRAINING', 'the front door is closed'))
    this.#stopAcquires()
    // What a desk gives back may be as good as ever; what is under way there is killed as it comes.
    for (const carrier of [...this.#out]) if (!carrier.isLent) carrier.kill()
  }

  #mayGoOn(carrier: Carrier): boolean {
    if (this.#wanted === 0 || !carrier.isClean || carrier.ageMs >= LIMITS.forwardTurnMs) return false
    return this.#hasTurn(carrier.frame)
  }

  /** Whether connections of this frame may go from client to client. */
  #hasTurn(frame: Frame): boolean {
    try {
      const pool = this.#deps.pool()
      // Who waits for the target beside these clients has its turn.
      return pool.isOpen && pool.waiters <= this.#acquires.size && frame === this.#deps.frame()
    } catch {
      // The target is no more, or another: its connections are given back.
      return false
    }
  }

  /** Clients that wait, here and at desks. */
  get #wanted(): number {
    let wanted = this.#waiters.size
    for (const { demand } of this.#desks) wanted += demand
    return wanted
  }

  /** Those who wait here have waited for longer than those at a desk. */
  #serve(carrier: Carrier): void {
    const { first } = this.#waiters
    if (first !== null) return this.#waiters.take(first).serve(carrier)
    for (const desk of this.#desks)
      if (desk.demand > 0 && carrier.isClean && desk.mayTake(carrier)) {
        desk.lend(carrier)
        this.#turns ??= setInterval(() => this.#takeTurns(), LIMITS.deskTurnsMs).unref()
        return
      }
    this.#letGo(carrier)
  }

  /** Has what is lent come back where it may not go on, and looks no more where nothing is lent. */
  #takeTurns(): void {
    const lent = [...this.#desks].filter(desk => desk.lent > 0)
    for (const desk of lent) if (!this.#hasTurn(desk.frame)) desk.recall()
    if (lent.length > 0 || this.#turns === null) return
    clearInterval(this.#turns)
    this.#turns = null
  }

  #letGo(carrier: Carrier): void {
    this.#out.delete(carrier)
    carrier.release()
    this.#pump()
  }

  /** As many leases are waited for as clients wait, but for those that the connections at hand come round to. */
  #pump(): void {
    const waiting = this.#wanted
    if (waiting === 0 || this.#isClosed) return
    try {
      const { max, waitTimeoutMs } = this.#deps.pool().target.pool
      const most = waitTimeoutMs > 0 ? max - this.#out.size : Number.POSITIVE_INFINITY
      // At least one, where nothing comes round.
      const wanted = Math.min(waiting, Math.max(most, this.#out.size === 0 ? 1 : 0))
      while (this.#acquires.size < wanted) this.#begin(waitTimeoutMs > 0 ? Number.POSITIVE_INFINITY : 0)
    } catch (error) {
      this.#failAll(SockpoolError.from(error))
      for (const desk of this.#desks) desk.recallWaiting()
    }
  }

  #begin(waitMs: number): void {
    const { acquire, onFault } = this.#deps
    const controller = new AbortController()
    this.#acquires.add(controller)
    acquire(controller.signal, waitMs, this.#wish)
      .then(
        held => this.#acquired(controller, held),
        error => this.#failed(controller, SockpoolError.from(error)),
      )
      .catch(onFault)
  }

  /** What is for a desk has to be where that is. */
  get #wish(): DialWish | null {
    if (this.#waiters.size > 0) return null
    for (const { demand, thread } of this.#desks) if (demand > 0) return { thread, header: null }
    return null
  }

  #acquired(controller: AbortController, held: Held): void {
    this.#acquires.delete(controller)
    let carrier: Carrier
    try {
      carrier = new Carrier(held, this.#deps.frame(), this.#deps.now)
    } catch (error) {
      void held.keeper.giveBack('policy', false)
      return this.#failAll(SockpoolError.from(error))
    }
    this.#out.add(carrier)
    if (this.#isClosed) carrier.kill()
    this.#serve(carrier)
  }

  /** As each dial that fails answers one caller. */
  #failed(controller: AbortController, error: SockpoolError): void {
    this.#acquires.delete(controller)
    if (FOR_ALL.has(error.code)) this.#failAll(error)
    else if (error.code !== 'ABORTED') this.#waiters.failFirst(copyError(error).add({ bytesAccepted: 0 }))
    if (error.code !== 'ABORTED') for (const desk of this.#desks) desk.recallWaiting()
    this.#pump()
  }

  #failAll(error: SockpoolError): void {
    while (this.#waiters.failFirst(copyError(error).add({ bytesAccepted: 0 })));
  }

  /** Nobody waits for what would come next. */
  #stopAcquires(): void {
    if (this.#wanted === 0) for (const acquire of this.#acquires) acquire.abort()
  }
}
