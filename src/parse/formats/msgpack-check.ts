/**
 * What a MessagePack value may not hold, told by its place: keys that name no property of an object or reach a prototype,
 * and times that are none. Notes which of its bytes are binary, as the library hands out texts as bytes too.
 */
import { isUtf8 } from 'node:buffer'
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { MSGPACK, MsgpackScanner, type MsgpackToken } from './msgpack-scanner.ts'
import { forbiddenKey } from './records.ts'

/** The type of an extension that is an instant. */
export const TIMESTAMP: number = -1
const NANOSECONDS = 1_000_000_000

/**
 * Where the binary ones of the message's bytes begin, as offsets.
 *
 * Errors: PARSE_FAILED with `offset`.
 */
export function checkMsgpack(message: Buffer): ReadonlySet<number> {
  const check = new MsgpackCheck(message)
  new MsgpackScanner(undefined, token => check.token(token)).push(message)
  return check.binary
}

class MsgpackCheck {
  readonly binary = new Set<number>()
  readonly #message: Buffer
  /** For each list and map that is open, whether it is the value of a key `constructor`. */
  readonly #isConstructor = new Uint8Array(LIMITS.parseDepthMax + 1)
  #afterConstructor = false

  constructor(message: Buffer) {
    this.#message = message
  }

  token(token: MsgpackToken): void {
    const { kind, from, to } = token
    if (token.isKey) return this.#key(token)
    if (kind === MSGPACK.bin) this.binary.add(from)
    else if (kind === MSGPACK.ext && this.#message.readInt8(from) === TIMESTAMP)
      this.#timestamp(token.at, this.#message.subarray(from + 1, to))
    this.#isConstructor[token.depth + 1] = this.#afterConstructor && kind === MSGPACK.map ? 1 : 0
    this.#afterConstructor = false
  }

  #key({ kind, at, from, to, depth }: MsgpackToken): void {
    this.#afterConstructor = false
    if (kind === MSGPACK.int || kind === MSGPACK.float) return
    const bytes = this.#message.subarray(from, to)
    if (kind !== MSGPACK.str || !isUtf8(bytes))
      throw new SockpoolError('PARSE_FAILED', 'a key of a map is neither a text nor a number', { offset: at })
    // No longer name is of interest.
    const name = bytes.length <= 11 ? bytes.toString('latin1') : ''
    if (name === '__proto__' || (name === 'prototype' && this.#isConstructor[depth] === 1))
      throw forbiddenKey(at)
    this.#afterConstructor = name === 'constructor'
  }

  /** Seconds in 4 bytes; nanoseconds in 30 bits and seconds in 34; nanoseconds in 4 bytes and seconds in 8. */
  #timestamp(at: number, data: Buffer): void {
    const nanoseconds = nanosecondsOf(data)
    if (nanoseconds !== null && nanoseconds < NANOSECONDS) return
    throw new SockpoolError('PARSE_FAILED', 'a timestamp is none', { offset: at })
  }
}

function nanosecondsOf(data: Buffer): number | null {
  switch (data.length) {
    case 4:
      return 0
    case 8:
      return data.readUInt32BE(0) >>> 2
    case 12:
      return data.readUInt32BE(0)
    default:
      return null
  }
}
