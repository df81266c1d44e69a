/**
 * A leased connection at the desk of a front door: it carries the requests of one client at a time, and hands on each answer
 * as a whole. Where anything comes that is no answer to them, it leaves with that.
 */
import { SockpoolError } from '../../../src/base/errors.ts'
import { LIMITS } from '../../../src/base/limits.ts'
import type { AnswerCutter, CallerMessage } from '../../../src/frames/frame.ts'
import type { OfChannel } from '../../../src/threads/protocol.ts'
import type { Seat } from './seat.ts'
import type { Seated } from './seated.ts'

/** Requests that came together, and what they are. */
export type Asked = { readonly bytes: Buffer; readonly messages: readonly CallerMessage[] }

/** Whose requests they are. `heard`: whole answers, which are its own. */
type Asking = {
  heard(bytes: Buffer): void
  /** It takes so little of its answers that nothing more is read for it here. */
  readonly isFull: boolean
}

export type DeskCarrierDeps = {
  readonly answers: AnswerCutter
  /** The last answer is handed on. */
  readonly onAnswered: () => void
  /** These are no whole answers that are awaited: it is to leave in this very call, with them. */
  readonly onOdd: (unseen: readonly Uint8Array[]) => void
  /** The connection is ending. */
  readonly onParted: () => void
}

export class DeskCarrier<Client extends Asking> implements Seated {
  /** When it was lent, and when it was asked or done last: instants on the monotonic clock, in milliseconds. */
  sinceMs = 0
  usedMs = 0
  readonly #deps: DeskCarrierDeps
  #sitting: { readonly seat: Seat; readonly own: OfChannel } | null = null
  #client: Client | null = null
  /** Of the requests under way. */
  #owed = 0
  /** Of an answer that has not come whole. */
  #begun: Buffer[] = []
  #begunBytes = 0
  /** What comes next is no answer that could be handed on here. */
  #isOdd = false

  constructor(deps: DeskCarrierDeps) {
    this.#deps = deps
  }

  sit(seat: Seat, own: OfChannel, now: number): void {
    this.#sitting = { seat, own }
    this.sinceMs = now
    this.usedMs = now
  }

  get seat(): Seat {
    return this.#seated.seat
  }

  get own(): OfChannel {
    return this.#seated.own
  }

  get client(): Client | null {
    return this.#client
  }

  /** Asks for a client; it has no other. */
  carry(client: Client, { bytes, messages }: Asked, now: number): void {
    this.usedMs = now
    this.#client = client
    this.#owed = messages.length
    for (const message of messages) this.#deps.answers.asked(message)
    this.seat.write(bytes)
  }

  /** It is nobody's from now on. */
  leaveClient(): Client | null {
    const client = this.#client
    this.#client = null
    return client
  }

  /** The requests whose answers have not been handed on. */
  outstanding({ bytes, messages }: Asked): {
    readonly bytes: Buffer
    readonly messages: readonly CallerMessage[]
  } {
    const answered = messages.length - this.#owed
    let from = 0
    for (let index = 0; index < answered; index++) from += messages[index]?.length ?? 0
    return { bytes: bytes.subarray(from), messages: messages.slice(answered) }
  }

  takeBegun(): readonly Buffer[] {
    const begun = this.#begun
    this.#begun = []
    this.#begunBytes = 0
    return begun
  }

  /** Answers that are still to come to its client. */
  get owed(): number {
    return this.#owed
  }

  received(bytes: Buffer): boolean {
    const at = this.#client === null ? 0 : this.#cut(bytes)
    if (at > 0) this.#client?.heard(this.#joined(bytes, at))
    const isFull = this.#owed > 0 && this.#client?.isFull === true
    if (isFull || this.#isOdd || (at < bytes.length && this.#owed === 0))
      this.#deps.onOdd([bytes.subarray(at)])
    else if (at < bytes.length) this.#keep(bytes.subarray(at))
    else if (this.#owed === 0) this.#deps.onAnswered()
    return true
  }

  stray(): void {
    this.#deps.onOdd([])
  }

  parted(): void {
    this.#deps.onParted()
  }

  get #seated(): { readonly seat: Seat; readonly own: OfChannel } {
    if (this.#sitting === null) throw new SockpoolError('INTERNAL', 'a connection at a desk has a place')
    return this.#sitting
  }

  /** Up to where whole answers go that are awaited. */
  #cut(bytes: Buffer): number {
    let at = 0
    try {
      while (at < bytes.length && this.#owed > 0) {
        const message = this.#deps.answers.next(at === 0 ? bytes : bytes.subarray(at))
        if (message === null) break
        this.#isOdd = message.kind === 'push' || message.isLast
        if (this.#isOdd) break
        at += message.taken
        this.#owed--
      }
    } catch (error) {
      if (!(error instanceof SockpoolError)) throw error
      // Whoever reads it next finds the same, and says so.
      this.#isOdd = true
    }
    return at
  }

  /** A copy: the bytes are somebody else's after this call. */
  #joined(bytes: Buffer, to: number): Buffer {
    if (this.#begun.length > 0) return Buffer.concat([...this.takeBegun(), bytes.subarray(0, to)])
    const own = Buffer.allocUnsafe(to)
    bytes.copy(own, 0, 0, to)
    return own
  }

  #keep(rest: Buffer): void {
    this.#begun.push(Buffer.from(rest))
    this.#begunBytes += rest.length
    // A long one is for who reads it piece by piece.
    if (this.#begunBytes > LIMITS.forwardReadBytes) this.#deps.onOdd([])
  }
}
