/**
 * One connection that serves many callers at once: their requests go out as they come, those of one turn of the event
 * loop as one write, and each message that comes in goes to whoever it answers.
 *
 *   open ──retire──► retiring ──the last answer is in──► ended
 *     └──────────────────┴──the peer ends, breaks or lies; an answer is overdue; killed──► ended
 *
 * What ends it fails the calls on it, but for those that have not been written, which may go elsewhere.
 */
import type { CallBounds } from '../../base/call-bounds.ts'
import { errorText } from '../../base/error-text.ts'
import { LimitOverrunError, SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { timerMs } from '../../base/timer.ts'
import { Wait } from '../../base/wait.ts'
import type { MultiplexSettings } from '../../config/multiplex.ts'
import type { Frame } from '../../frames/frame.ts'
import type { LeaseEnds } from '../lease/lease-ends.ts'
import type { LeaseKeeper } from '../lease/lease-keeper.ts'
import type { Refusal } from '../target/release-result.ts'
import { AnswerCut } from './answer-cut.ts'
import { type Flight, type FlightState, type Flights, FlightsById, OrderedFlights } from './flights.ts'
import type { IdMatch } from './id-match.ts'
import { type SharedCall, type SharedReply, sharedReply } from './shared-call.ts'
import { lossError, requestError } from './shared-errors.ts'

/** A connection for all, as nobody leases one: it belongs to no tenant and ends with the code that has it. */
export type SharedHeld = {
  readonly keeper: LeaseKeeper
  readonly ends: LeaseEnds
  /** Why it should serve nobody new: its age, or an operator's word; or null. */
  readonly retires: () => Refusal | null
}

export type SharedConnectionDeps = SharedHeld & {
  readonly settings: MultiplexSettings
  readonly frame: Frame
  readonly match: IdMatch | null
  readonly now: () => number
  /** A message has come that answers nobody. */
  readonly onUnsolicited: () => void
  /** A flight has landed or was withdrawn: there may be room for another. */
  readonly onLeft: (tenant: string) => void
  /** It serves nobody any more. `isLost`: while somebody counted on it. */
  readonly onEnded: (isLost: boolean) => void
}

type State = 'open' | 'retiring' | 'ended'

const [UNWRITTEN, WRITTEN]: readonly [FlightState, FlightState] = [{ kind: 'unwritten' }, { kind: 'written' }]

export class SharedConnection {
  readonly #deps: SharedConnectionDeps
  readonly #flights: Flights
  readonly #answers: AnswerCut
  #state: State = 'open'
  #retiresFor: Refusal = 'policy'
  /** What is to go out, in this order. */
  readonly #unwritten = new Set<Flight>()
  #isFlushing = false
  #isWriting = false
  #orphans = 0
  #orphanTimer: NodeJS.Timeout | null = null
  #isUsed = false
  #usedMs: number

  constructor(deps: SharedConnectionDeps) {
    this.#deps = deps
    this.#usedMs = deps.now()
    this.#flights = deps.match === null ? new OrderedFlights() : new FlightsById(deps.match)
    this.#answers = new AnswerCut(deps.frame, (message, isPush) => this.#took(message, isPush))
    deps.keeper.keepAlive(false)
    this.#read()
      .then(
        error => this.#end(error),
        error => this.#end(error),
      )
      .catch(error => deps.keeper.fault(error))
  }

  get inFlight(): number {
    return this.#flights.size
  }

  get orphans(): number {
    return this.#orphans
  }

  /** Calls that it has room for. */
  get room(): number {
    return this.#state === 'open' ? this.#deps.settings.inFlight - this.#flights.size : 0
  }

  /** Why it should serve nobody new, as SharedHeld says. */
  get retires(): Refusal | null {
    return this.#deps.retires()
  }

  get isRetiring(): boolean {
    return this.#state === 'retiring'
  }

  /** Milliseconds for which nobody has needed it. */
  get idleMs(): number {
    return this.#flights.size > 0 ? 0 : this.#deps.now() - this.#usedMs
  }

  /**
   * The answer to a call; null where it was not sent, and the connection has ended.
   *
   * Errors: FRAME_MISMATCH (the request has no id); READ_TIMEOUT, ABORTED; CONNECTION_RESET with `bytesAccepted`;
   * FRAME_BROKEN, LIMIT_OVERRUN.
   */
  ask(call: SharedCall, bounds: CallBounds): Promise<SharedReply | null> {
    const wait = new Wait<SharedReply | null>('the answer', 'READ_TIMEOUT', bounds, error =>
      this.#leave(flight, error),
    )
    const flight: Flight = {
      call,
      wait,
      reused: this.#isUsed,
      state: UNWRITTEN,
      sent: call.bytes,
      place: null,
    }
    try {
      flight.sent = this.#flights.add(flight)
      this.#unwritten.add(flight)
      this.#isUsed = true
    } catch (error) {
      wait.reject(requestError(error))
      this.#deps.onLeft(call.tenant)
      return wait.promise
    }
    if (this.#flights.size === 1) this.#deps.keeper.keepAlive(true)
    this.#flushSoon()
    return wait.promise
  }

  /** Takes no further call, and ends with the last answer. */
  retire(reason: Refusal): void {
    if (this.#state !== 'open') return
    this.#state = 'retiring'
    this.#retiresFor = reason
    this.#endIfDone()
  }

  /** Ends it at once. */
  kill(): void {
    this.#end(
      new SockpoolError('CONNECTION_RESET', 'the connection was closed by the pool', { reason: 'killed' }),
    )
  }

  /** What is written in one turn of the event loop leaves as one; while the peer takes nothing, nothing more is given out. */
  #flushSoon(): void {
    if (this.#isFlushing || this.#isWriting) return
    this.#isFlushing = true
    setImmediate(() => this.#flushNow())
  }

  #flushNow(): void {
    if (!this.#isFlushing) return
    this.#isFlushing = false
    this.#flush()
      .catch(error => this.#end(error))
      .catch(error => this.#deps.keeper.fault(error))
  }

  async #flush(): Promise<void> {
    if (this.#unwritten.size === 0 || this.#state === 'ended') return
    const { writer } = this.#deps.ends
    const batch: Uint8Array[] = []
    let length = 0
    for (const flight of this.#unwritten) {
      const { sent } = flight
      // A writer takes so many bytes and no more; one message fits always.
      if (length > 0 && length + sent.length > LIMITS.multiplexWriteBytes) break
      this.#unwritten.delete(flight)
      batch.push(sent)
      length += sent.length
      this.#answers.asked(flight.call.request)
      flight.state = WRITTEN
    }
    writer.writeLines(batch)
    if (writer.queued > 0) {
      this.#isWriting = true
      await writer.drain()
      this.#isWriting = false
    }
    if (this.#unwritten.size > 0) this.#flushSoon()
  }

  /** Reads until the connection gives nothing more; why it does not. */
  async #read(): Promise<unknown> {
    const { reader } = this.#deps.ends
    while (this.#state !== 'ended') {
      const bytes = await reader.read(LIMITS.multiplexReadBytes)
      if (bytes.length > 0) await this.#cut(bytes)
      else {
        this.#answers.end()
        return new SockpoolError('CONNECTION_RESET', 'the peer has ended the connection')
      }
      if (this.#answers.isLast)
        return new SockpoolError('CONNECTION_RESET', 'the peer has said its last message')
    }
    return null
  }

  /** So many in a turn: while their callers ask again, the peer has something to do, and others have theirs served. */
  async #cut(bytes: Buffer): Promise<void> {
    for (let at = 0; ; ) {
      at = this.#answers.add(bytes, at, LIMITS.multiplexAnswersPerTurn)
      if (at >= bytes.length) return
      await new Promise(setImmediate)
      if (this.#state === 'ended') return
      // What those who were answered have asked since goes out before the next are answered.
      this.#flushNow()
    }
  }

  #took(message: Buffer, isPush: boolean): void {
    const landing = isPush ? null : this.#land(message)
    if (landing === null) return this.#unsolicited(isPush)
    const { flight, data } = landing
    if (flight.state.kind === 'orphaned') this.#orphans--
    const { limit = Number.POSITIVE_INFINITY } = flight.call
    if (data.length <= limit) flight.wait.resolve(sharedReply(data, flight.reused))
    else {
      const error = new LimitOverrunError(`more than ${limit} bytes came`, limit)
      flight.wait.reject(error.addAccepted(flight.call.bytes.length))
    }
    this.#left(flight)
  }

  #land(message: Buffer): { readonly flight: Flight; readonly data: Buffer } | null {
    try {
      return this.#flights.land(message)
    } catch (error) {
      throw new SockpoolError('FRAME_BROKEN', `an answer has no id that can be read: ${errorText(error)}`, {
        cause: error,
      })
    }
  }

  #unsolicited(isPush: boolean): void {
    this.#deps.onUnsolicited()
    if (isPush || this.#deps.settings.onUnsolicited === 'drop') return
    throw new SockpoolError('CONNECTION_RESET', 'the peer has sent a message that answers nobody')
  }

  /** Its caller has gone, by time or signal. */
  #leave(flight: Flight, error: SockpoolError): void {
    if (flight.state.kind === 'written') {
      error.addAccepted(flight.call.bytes.length)
      flight.state = { kind: 'orphaned', sinceMs: this.#deps.now() }
      this.#orphans++
      this.#watchOrphans()
      return
    }
    error.add({ bytesAccepted: 0 })
    this.#unwritten.delete(flight)
    this.#flights.remove(flight)
    this.#left(flight)
  }

  #left({ call }: Flight): void {
    if (this.#flights.size === 0) {
      this.#usedMs = this.#deps.now()
      this.#deps.keeper.keepAlive(false)
    }
    this.#deps.onLeft(call.tenant)
    this.#endIfDone()
  }

  #watchOrphans(): void {
    if (this.#orphanTimer !== null || this.#state === 'ended') return
    const { settings, now } = this.#deps
    let oldestMs = Infinity
    for (const { state } of this.#flights)
      if (state.kind === 'orphaned') oldestMs = Math.min(oldestMs, state.sinceMs)
    if (oldestMs === Infinity) return
    const leftMs = Math.max(1, oldestMs + settings.orphanMs - now())
    this.#orphanTimer = setTimeout(() => {
      this.#orphanTimer = null
      this.#giveUpOverdue()
    }, timerMs(leftMs)).unref()
  }

  /** By order nothing that comes can be told from what is awaited any more; by id all the others can. */
  #giveUpOverdue(): void {
    const { settings, now, match } = this.#deps
    const overdue = Array.from(this.#flights).filter(
      ({ state }) => state.kind === 'orphaned' && now() - state.sinceMs >= settings.orphanMs,
    )
    const flights = this.#flights
    if (overdue.length > 0 && !(flights instanceof FlightsById))
      return this.#end(
        new SockpoolError(
          'CONNECTION_RESET',
          'an answer that was given up has not come, and others wait behind it',
        ),
      )
    for (const flight of overdue) {
      if (flights instanceof FlightsById) flights.giveUp(flight)
      this.#orphans--
      this.#left(flight)
    }
    const lostMax = Math.min(LIMITS.multiplexLostIdsMax, (match?.idMax ?? 0) / 4)
    if (flights instanceof FlightsById && flights.lost > lostMax) this.retire('unanswered')
    this.#watchOrphans()
  }

  #endIfDone(): void {
    if (this.#state === 'retiring' && this.#flights.size === 0) this.#end(null)
  }

  /** The one place where it ends; null: nobody is on it. */
  #end(error: unknown): void {
    if (this.#state === 'ended') return
    const refusal = this.#state === 'retiring' && error === null ? this.#retiresFor : 'error'
    this.#state = 'ended'
    if (this.#orphanTimer) clearTimeout(this.#orphanTimer)
    const { keeper, onEnded, match } = this.#deps
    const flights = Array.from(this.#flights)
    this.#unwritten.clear()
    this.#orphans = 0
    // Nothing of it is needed any more, so that nobody waits for what becomes of the connection.
    void keeper.giveBack(refusal, false)
    let isFirst = match === null
    for (const flight of flights) {
      this.#flights.remove(flight)
      if (flight.state.kind === 'unwritten') flight.wait.resolve(null)
      else if (flight.state.kind === 'written')
        flight.wait.reject(lossError(error, isFirst).addAccepted(flight.call.bytes.length))
      isFirst = false
      this.#deps.onLeft(flight.call.tenant)
    }
    onEnded(flights.length > 0)
  }
}
