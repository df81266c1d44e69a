/**
 * A decoder fed by hand: the same values must come out however the bytes are cut, also where another cutter goes on with what
 * one has seen. Pieces lie in shared memory and are written over once they were looked at.
 */
import { expect } from 'vitest'
import { SockpoolError } from '../../src/base/errors.ts'
import { decodeAll } from '../../src/parse/formats/decode-all.ts'
import type { Decoder } from '../../src/parse/formats/format.ts'
import { Random } from './fence-random.ts'

export type PieceReading = {
  readonly values: readonly unknown[]
  /** The code of the error at the end; null where the input ends between two messages. */
  readonly failure: string | null
}

/** All of the input at once. */
export function readWhole(decoder: Decoder, input: Buffer): PieceReading {
  try {
    return { values: decodeAll(decoder, input), failure: null }
  } catch (error) {
    return { values: [], failure: codeOf(error) }
  }
}

/** `sizeOf`: bytes of the next piece. `isMoved`: whether each piece is looked at by a cutter of its own. */
export function readPieces(
  decoder: Decoder,
  input: Buffer,
  sizeOf: () => number,
  isMoved: boolean,
): PieceReading {
  const values: unknown[] = []
  try {
    for (let start = 0; start < input.length; ) {
      const length = messageLength(decoder, input.subarray(start), sizeOf, isMoved)
      if (length === 'none') break
      if (length === 'partial') return { values, failure: 'PARSE_FAILED' }
      values.push(decoder.decode(Buffer.from(input.subarray(start, start + length))))
      start += length
    }
  } catch (error) {
    return { values, failure: codeOf(error) }
  }
  return { values, failure: null }
}

/**
 * Checks that the input reads the same whole, cut in two at every byte where it is small, a byte at a time, and in pieces of
 * random sizes. Gives what it reads as.
 */
export function expectSamePieces(decoder: Decoder, input: Buffer, seed = 1): PieceReading {
  const whole = readWhole(decoder, input)
  const check = (sizeOf: () => number, isMoved: boolean, how: string): void => {
    const { values, failure } = readPieces(decoder, input, sizeOf, isMoved)
    expect(failure, how).toBe(whole.failure)
    if (failure === null) expect(values, how).toEqual(whole.values)
  }
  if (input.length <= 512)
    for (let at = 1; at < input.length; at++) check(() => at, at % 2 === 0, `in pieces of ${at}`)
  for (const isMoved of [false, true])
    for (let run = 0; run < 10; run++) {
      const random = Random.of(seed, run)
      // Some hundreds of pieces of a large input, each of which costs memory of its own here.
      const sizeMax = Math.max([2, 7, 64, 4_096][random.below(4)] ?? 2, input.length >> 9)
      check(() => 1 + random.below(sizeMax), isMoved, `in random pieces of seed ${seed}, run ${run}`)
    }
  return whole
}

function messageLength(
  decoder: Decoder,
  input: Buffer,
  sizeOf: () => number,
  isMoved: boolean,
): number | 'none' | 'partial' {
  let cutter = decoder.cutter()
  for (let at = 0; at < input.length; ) {
    const piece = new Uint8Array(new SharedArrayBuffer(Math.min(sizeOf(), input.length - at)))
    piece.set(input.subarray(at, at + piece.length))
    const length = cutter.push(piece)
    if (length > 0) return length
    piece.fill(0x2a)
    at += piece.length
    const saved = isMoved ? cutter.save() : null
    if (saved) cutter = decoder.cutter(structuredClone(saved))
  }
  return cutter.finish()
}

function codeOf(error: unknown): string {
  if (error instanceof SockpoolError) return error.code
  throw error
}
