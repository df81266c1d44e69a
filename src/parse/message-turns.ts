/**
 * Reads one message of a lent reader in turns. A parse thread has the reader for as long as bytes are there; while its
 * peer sends nothing the reader is parked here, on the pool's thread, and no parse thread waits for it.
 *
 *   queued ──a thread is free──► lent ──the message is whole, or never will be──► done
 *     ▲                           │ it is not, and others want the thread or nothing comes for a while
 *     └────────bytes came────── parked ──time, signal, close──► done
 *
 * A peer that sends a byte now and then would have a thread look again for each: so a parked reader first pauses, the
 * longer the longer its message takes. What was looked at is not looked at again: the cutter goes along.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { SockpoolError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { aborted, tookLonger } from '../base/wait.ts'
import { isRevoked } from '../streams/byte-source.ts'
import {
  type LentSource,
  type LoanResult,
  ParkedSource,
  type ReturnedSource,
  skipLent,
} from '../streams/channel-ends/lent-source.ts'
import { type MessageAsk, type ParseReply, sharedNow } from './formats/parse-task.ts'
import type { SeenMessage, Turn, TurnResult } from './formats/read-message.ts'
import { Lender } from './lender.ts'
import { failed, loanResultOf, returnedTo, unwrapped } from './loan-outcome.ts'
import type { TaskPool } from './task-pool.ts'
import type { TaskCall } from './task-record.ts'

const WHAT = 'parse()'

/** The whole call. `allowedMs`: what its errors name. */
type TurnCall = Omit<TaskCall, 'what'> & { readonly allowedMs: number }

export type MessageTurnsOptions = {
  /** Threads, which find messages in what is lent. */
  readonly pool: TaskPool
  /** Processes, which decode those that are longer than `decodeBytesMax`. */
  readonly processes: TaskPool
  readonly decodeBytesMax: number
  /** Bytes of a message. */
  readonly bytesMax: number
}

export class MessageTurns {
  readonly #options: MessageTurnsOptions
  readonly #parked = new Set<ParkedSource>()

  constructor(options: MessageTurnsOptions) {
    this.#options = options
  }

  /** Readers whose peers have not sent the whole of their message. */
  get parked(): number {
    return this.#parked.size
  }

  /** Ends what is parked with the error. */
  close(error: SockpoolError): void {
    for (const parked of this.#parked) parked.stop(error)
  }

  /** Never rejects. */
  async read(lent: LentSource, ask: MessageAsk, call: TurnCall): Promise<LoanResult> {
    const began = performance.now()
    const deadline = sharedNow() + call.timeoutMs
    let at = lent
    let seen: SeenMessage | null = null
    for (;;) {
      const reply = await this.#turn(at, seen, ask, call, deadline)
      if ('reader' in reply) return at === lent ? reply : returnedTo(reply, at)
      const { outcome, returned } = reply
      if (!outcome.ok || returned === null) return loanResultOf(reply, WHAT, call.signal)
      const result = outcome.value as TurnResult<unknown>
      if (result.kind === 'message')
        return { outcome: { ok: true, value: result.value }, reader: { kind: 'returned', returned } }
      if (result.kind === 'cut')
        return this.#decodeApart(
          { ...lent, position: returned.position },
          result.message,
          ask,
          call,
          deadline,
        )
      seen = result.seen
      const ended = endOf(call, deadline)
      if (ended !== null) return { outcome: failed(ended), reader: { kind: 'returned', returned } }
      const next = await this.#park(
        { ...lent, position: returned.position },
        seen.count,
        call,
        began,
        deadline,
      )
      if ('reader' in next) return next
      at = next
    }
  }

  /** What the thread replies, or what became of the loan where none did. */
  async #turn(
    at: LentSource,
    seen: SeenMessage | null,
    ask: MessageAsk,
    call: TurnCall,
    deadline: number,
  ): Promise<ParseReply | LoanResult> {
    const lender = new Lender(at, deadline, call.allowedMs)
    const { pool, bytesMax, decodeBytesMax } = this.#options
    const turn: Turn = { bytesMax, decodeBytesMax, patienceMs: LIMITS.parsePatienceMs, seen }
    const leftMs = Math.max(0, deadline - sharedNow())
    // A thread that has the whole message is let finish: its reader would be lost with it.
    const graceMs = LIMITS.parseGraceMs + bytesMax / LIMITS.parseBytesPerMs
    try {
      return await pool.run(
        { kind: 'channel', ...ask, turn, ticket: lender.ticket },
        {
          ...call,
          what: WHAT,
          timeoutMs: leftMs + graceMs,
          queueMs: leftMs + LIMITS.parseGraceMs,
          graceMs,
          recall: () => lender.recall(),
          hurry: () => lender.hurry(),
        },
      )
    } catch (error) {
      if (lender.callOff()) return { outcome: failed(error), reader: { kind: 'untouched' } }
      const threadGone = pool.threadGone(lender.borrower)
      return { outcome: failed(error), reader: { kind: 'lost', threadGone } }
    }
  }

  /** Has a process decode the whole message. Only then is it removed; no process has a part in the reader. */
  async #decodeApart(
    at: LentSource,
    message: Uint8Array<ArrayBuffer>,
    ask: MessageAsk,
    call: TurnCall,
    deadline: number,
  ): Promise<LoanResult> {
    const { length, buffer } = message
    let returned: ReturnedSource = { position: at.position, count: 0, interrupted: false }
    try {
      const reply = await this.#options.processes.run(
        { kind: 'message', ...ask, bytes: message },
        {
          ...call,
          what: WHAT,
          timeoutMs: Math.max(0, deadline - sharedNow()) + LIMITS.parseGraceMs,
          transfer: [buffer],
        },
      )
      const value = unwrapped(reply)
      returned = skipLent(at, length)
      return { outcome: { ok: true, value }, reader: { kind: 'returned', returned } }
    } catch (error) {
      return { outcome: failed(error), reader: { kind: 'returned', returned } }
    }
  }

  /** Waits for more than `count` bytes: the reader to lend again, or how the loan has ended. */
  async #park(
    lent: LentSource,
    count: number,
    { signal, allowedMs }: TurnCall,
    began: number,
    deadline: number,
  ): Promise<LentSource | LoanResult> {
    const pauseMs = pauseFor(lent, performance.now() - began)
    // An abort cuts it short; the wait that follows tells of it.
    if (pauseMs >= 1) await delay(pauseMs, undefined, signal && { signal }).catch(() => 'aborted')
    let position = lent.position
    try {
      const parked = new ParkedSource(lent)
      this.#parked.add(parked)
      try {
        const leftMs = Math.max(0, deadline - sharedNow())
        await parked.wait(count + 1, WHAT, { signal, timeoutMs: leftMs })
        const { end } = parked
        if (isRevoked(end)) throw end.error
      } finally {
        this.#parked.delete(parked)
        position = parked.giveBack()
      }
      return { ...lent, position }
    } catch (error) {
      const isLate = error instanceof SockpoolError && error.code === 'READ_TIMEOUT'
      const returned: ReturnedSource = { position, count: 0, interrupted: true }
      return { outcome: failed(isLate ? late(allowedMs) : error), reader: { kind: 'returned', returned } }
    }
  }
}

/** Milliseconds until a message that has taken so many is looked at again: what was set aside is copied for that. */
function pauseFor({ position }: LentSource, elapsedMs: number): number {
  const asideBytes = position.aside.reduce((sum, { length }) => sum + length, 0)
  const shareMs = Math.min(LIMITS.parsePauseMs, elapsedMs / LIMITS.parsePauseShare)
  return Math.max(shareMs, asideBytes / LIMITS.parsePauseBytesPerMs)
}

/** Why nobody waits for the rest of the message any more, or null. */
function endOf({ signal, allowedMs }: TurnCall, deadline: number): SockpoolError | null {
  if (signal?.aborted) return aborted(WHAT, signal)
  return sharedNow() >= deadline ? late(allowedMs) : null
}

function late(allowedMs: number): SockpoolError {
  return new SockpoolError('READ_TIMEOUT', tookLonger(WHAT, allowedMs), { bytesDelivered: 0 })
}
