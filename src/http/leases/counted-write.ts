/**
 * Writing for an HTTP caller. Whatever fails, the caller hears how many bytes of this call were accepted; a write that
 * names its offset may be repeated, and what was accepted before is not sent again.
 */
import { SockpoolError } from '../../base/errors.ts'
import type { WaitOptions } from '../../base/wait.ts'
import type { RequestBody } from '../bytes/request-body.ts'
import type { WriterPort } from '../ports.ts'
import { CountedFailure, invalidField } from '../problems.ts'

/** What follows the bytes of a write. */
export interface Ending {
  /** Wait until the writer's buffer is down to its low water mark; default: false. */
  readonly drain?: boolean
  /** End the writing side; default: false. */
  readonly eof?: boolean
}

export interface WriteResult {
  /** Bytes of the call that are accepted, now or by a write that this one repeats. */
  readonly accepted: number
  /** Stream offset after the write. */
  readonly offset: number
}

/**
 * Writes a body as it comes. `start`: the stream offset of its first byte, where the caller names one.
 *
 * Errors, with counts: WRITE_CLOSED, OFFSET_MISMATCH, INVALID_REQUEST for `eof` on TLS, REQUEST_TIMEOUT, DRAIN_TIMEOUT,
 * ABORTED, CONNECTION_RESET.
 */
export async function writeBody(
  writer: WriterPort,
  body: RequestBody | null,
  start: number | undefined,
  ending: Ending,
  wait: WaitOptions,
): Promise<WriteResult> {
  let repeated = repeatedBytes(writer.offset, start)
  if (ending.eof === true) checkHalfClose(writer)
  return await counted(writer, async count => {
    for (let isFirst = true; ; isFirst = false) {
      const chunk = (await body?.next()) ?? null
      if (chunk === null) break
      // Backpressure: while there is no room, nothing more is written, and so nothing more is read from the client.
      if (!isFirst) await writer.drain(wait)
      const skipped = Math.min(repeated, chunk.length)
      repeated -= skipped
      count(skipped)
      await writeAll(writer, [chunk.subarray(skipped)], wait)
    }
    await finish(writer, ending, wait)
  })
}

/** Writes pieces one after the other. Errors: as `writeBody`. */
export async function writePieces(
  writer: WriterPort,
  pieces: readonly Uint8Array[],
  ending: Ending,
  wait: WaitOptions,
): Promise<WriteResult> {
  return await counted(writer, async () => {
    await writeAll(writer, pieces, wait)
    await finish(writer, ending, wait)
  })
}

/** Ends the writing side. Errors: INVALID_REQUEST on TLS. */
export function endWriting(writer: WriterPort): void {
  checkHalfClose(writer)
  writer.writeEof()
}

/** Runs a write and tells what it moved, by the writer's own count and what `run` adds to it. */
async function counted(
  writer: WriterPort,
  run: (count: (bytes: number) => void) => Promise<void>,
): Promise<WriteResult> {
  const start = writer.offset
  let repeated = 0
  const accepted = (): number => repeated + writer.offset - start
  try {
    await run(bytes => {
      repeated += bytes
    })
    return { accepted: accepted(), offset: writer.offset }
  } catch (error) {
    throw new CountedFailure(error, { bytesDelivered: 0, bytesAccepted: accepted() })
  }
}

/**
 * Writes all pieces or says why not: like asyncio's, a writer drops what is written after its end, and a caller over HTTP
 * must hear of that. Errors: WRITE_CLOSED, CONNECTION_RESET.
 */
export async function writeAll(
  writer: WriterPort,
  pieces: readonly Uint8Array[],
  wait: WaitOptions,
): Promise<void> {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0)
  const before = writer.offset
  writer.writeLines(pieces)
  if (writer.offset - before === length) return
  await writer.drain(wait).catch(async error => {
    // `drain` calls every connection that has ended reset, as asyncio does. `waitClosed` tells a connection that broke
    // from one that its holder closed: it throws the error that broke it.
    if (!(error instanceof SockpoolError) || error.code !== 'CONNECTION_RESET') throw error
    await writer.waitClosed(wait)
  })
  throw new SockpoolError('WRITE_CLOSED', 'the connection is closing and takes no more bytes')
}

async function finish(writer: WriterPort, ending: Ending, wait: WaitOptions): Promise<void> {
  if (ending.drain === true) await writer.drain(wait)
  if (ending.eof === true) endWriting(writer)
}

/** How many leading bytes of a body that starts at `start` have been accepted already. */
function repeatedBytes(offset: number, start: number | undefined): number {
  if (start === undefined) return 0
  if (start <= offset) return offset - start
  const message = `the next byte to write has the offset ${offset}; the body was to start at ${start}`
  throw new SockpoolError('OFFSET_MISMATCH', message, { offset })
}

/** Errors: INVALID_REQUEST at `eof` where the connection has no half that could be closed. */
export function checkHalfClose(writer: WriterPort): void {
  if (!writer.canWriteEof()) throw invalidField('eof', 'TLS cannot close one direction alone')
}
