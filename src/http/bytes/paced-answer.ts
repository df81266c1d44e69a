/** A large answer in pieces, each in its turn: see ByteTurns. */
import { Readable } from 'node:stream'
import { LIMITS } from '../../base/limits.ts'
import { BYTE_TURNS } from '../byte-turns.ts'

/** The bytes as views of a piece each; the whole stays in memory until the last has gone. */
export function pacedAnswer(bytes: Buffer): Readable {
  return Readable.from(piecesOf(bytes), { objectMode: false, highWaterMark: LIMITS.kernelReadBytes })
}

async function* piecesOf(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += LIMITS.answerPieceBytes) {
    const piece = bytes.subarray(at, at + LIMITS.answerPieceBytes)
    yield piece
    const turn = BYTE_TURNS.spent(piece.length)
    if (turn !== null) await turn
  }
}
