import { LIMITS } from '../base/limits.ts'
import type { CallerMessage, MessageCutter } from './frame.ts'
import { frameBroken } from './frame-errors.ts'
import { Int32 } from './int32.ts'
import { MessageSize } from './message-size.ts'

/** Start-up packets by their code. Those of a start-up proper have the protocol's version in its place. */
const STARTUPS: ReadonlyMap<number, string> = new Map([
  [80_877_102, 'CancelRequest'],
  [80_877_103, 'SSLRequest'],
  [80_877_104, 'GSSENCRequest'],
])
/** The upper half of the version of protocol 3. */
const MAJOR = 3

/** Messages that the server answers as a whole, and that everything sent since the last one rides with. */
const ENDING: ReadonlyMap<number, string> = namesOf({
  Q: 'Query',
  S: 'Sync',
  F: 'FunctionCall',
  p: 'Password',
  c: 'CopyDone',
  f: 'CopyFail',
  X: 'Terminate',
})
/** Parse, Bind, Describe, Execute, Close, Flush, CopyData. */
const RIDING: ReadonlySet<number> = new Set(Array.from('PBDECHd', type => type.charCodeAt(0)))
/** What the server has no answer to. */
const UNANSWERED: ReadonlySet<string> = new Set(['CancelRequest', 'Terminate'])

const LENGTH_BYTES = 4
const CODE_BYTES = 4

type Part = 'start' | 'type' | 'length' | 'startup length' | 'code' | 'body' | 'end'

/**
 * Cuts what a client of PostgreSQL sends, protocol 3.
 *
 *   start ──┬──► type ──► length ──► body ──┬──► type …     a message that rides with the next
 *           │                               └──► end        one that is answered
 *           └──► startup length ──► code ──► body ──► end   first byte 0: no type is
 *
 * What a request does to its connection (SET, BEGIN, LISTEN) cannot be seen from here, so that each is exclusive.
 */
export class PostgresRequests implements MessageCutter<CallerMessage> {
  readonly #size: MessageSize
  readonly #number = new Int32()
  #part: Part = 'start'
  /** Of the message under way; null where it rides with the next. */
  #command: string | null = null
  #left = 0
  readonly #endIn = (bytes: Uint8Array): number => this.#endOf(bytes)

  constructor(max: number) {
    this.#size = new MessageSize('postgres', max)
  }

  get isBetween(): boolean {
    return this.#size.isEmpty
  }

  next(bytes: Uint8Array): CallerMessage | null {
    const message = this.#size.cut(bytes, this.#endIn)
    if (!message) return null
    const command = this.#command ?? ''
    this.#part = 'start'
    return { ...message, answers: UNANSWERED.has(command) ? 0 : 1, command, isExclusive: true }
  }

  #endOf(bytes: Uint8Array): number {
    for (let at = 0; at < bytes.length; ) {
      if (this.#part === 'body') {
        const taken = Math.min(bytes.length - at, this.#left)
        this.#left -= taken
        at += taken
        if (this.#left === 0) this.#endBody()
      } else this.#step(bytes[at] ?? 0, ++at)
      if (this.#part === 'end') return at
    }
    return -1
  }

  /** `behind`: the index behind the byte. */
  #step(byte: number, behind: number): void {
    switch (this.#part) {
      case 'start':
        this.#number.begin()
        if (byte !== 0) return this.#inType(byte)
        this.#number.add(byte)
        this.#part = 'startup length'
        return
      case 'type':
        return this.#inType(byte)
      case 'length':
        if (this.#number.add(byte)) this.#endLength(behind)
        return
      case 'startup length':
        if (this.#number.add(byte)) this.#endStartupLength(behind)
        return
      case 'code':
        if (this.#number.add(byte)) this.#endCode()
        return
      case 'body':
      case 'end':
        return
      default:
        return this.#part satisfies never
    }
  }

  #inType(byte: number): void {
    this.#command = ENDING.get(byte) ?? null
    if (this.#command === null && !RIDING.has(byte)) throw broken('a message has an unknown type')
    this.#number.begin()
    this.#part = 'length'
  }

  #endLength(behind: number): void {
    if (this.#number.value < LENGTH_BYTES) throw broken('a message is shorter than its own length')
    this.#announce(behind, this.#number.value - LENGTH_BYTES)
    this.#beginBody()
  }

  #endStartupLength(behind: number): void {
    const length = this.#number.value
    if (length < LENGTH_BYTES + CODE_BYTES || length > LIMITS.framePostgresStartupBytesMax)
      throw broken('a start-up packet has a length that cannot be')
    this.#announce(behind, length - LENGTH_BYTES)
    this.#number.begin()
    this.#part = 'code'
  }

  #endCode(): void {
    const code = this.#number.value
    this.#command = STARTUPS.get(code) ?? (code >> 16 === MAJOR ? 'Startup' : null)
    if (this.#command === null) throw broken('a start-up packet is of another protocol')
    this.#left -= CODE_BYTES
    this.#beginBody()
  }

  #announce(behind: number, following: number): void {
    this.#left = following
    this.#size.announce(behind, following)
  }

  #beginBody(): void {
    this.#part = 'body'
    if (this.#left === 0) this.#endBody()
  }

  #endBody(): void {
    this.#part = this.#command === null ? 'type' : 'end'
  }
}

function namesOf(types: Readonly<Record<string, string>>): ReadonlyMap<number, string> {
  return new Map(Object.entries(types).map(([type, name]) => [type.charCodeAt(0), name]))
}

function broken(what: string): Error {
  return frameBroken('postgres', what)
}
