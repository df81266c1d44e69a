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
  return await counted(writer, start, ending, wait, async call => {
    for (let isFirst = true; ; isFirst = false) {
      const chunk = (await body?.next()) ?? null
      if (chunk === null) return
      const [fresh] = call.unsent([chunk])
      if (fresh === undefined) continue
      // Backpressure: while there is no room, nothing more is written, and so nothing more is read from the client.
      if (!isFirst) await writer.drain(wait)
      await writeAll(writer, [fresh], wait)
    }
  })
}

/** Writes pieces one after the other. Errors: as `writeBody`. */
export async function writePieces(
  writer: WriterPort,
  pieces: readonly Uint8Array[],
  start: number | undefined,
  ending: Ending,
  wait: WaitOptions,
): Promise<WriteResult> {
  return await counted(writer, start, ending, wait, async call => {
    const fresh = call.unsent(pieces)
    if (fresh.length > 0) await writeAll(writer, fresh, wait)
  })
}

/** Ends the writing side. Errors: INVALID_REQUEST on TLS. */
export function endWriting(writer: WriterPort): void {
  checkHalfClose(writer)
  writer.writeEof()
}

/** What one call has moved, and what of it was moved before by one that it repeats. */
class WriteCount {
  readonly #writer: WriterPort
  /** Where the writer stood. */
  readonly #before: number
  /** Where the call's first byte stands. */
  readonly #start: number
  /** Bytes of it that are still to come and were accepted before. */
  #old: number
  #repeated = 0

  /** Errors: OFFSET_MISMATCH. */
  constructor(writer: WriterPort, start: number | undefined) {
    const { offset } = writer
    this.#writer = writer
    this.#before = offset
    this.#start = start ?? offset
    this.#old = offset - this.#start
    if (this.#old >= 0) return
    const message = `the next byte to write has the offset ${offset}; the body was to start at ${start}`
    throw new SockpoolError('OFFSET_MISMATCH', message, { offset })
  }

  /** Bytes of the call that are accepted, now or before. */
  get accepted(): number {
    return this.#repeated + this.#fresh
  }

  /** Nothing of it is new. */
  get isRepeat(): boolean {
    return this.#fresh === 0
  }

  get result(): WriteResult {
    return { accepted: this.accepted, offset: this.#start + this.accepted }
  }

  /** What of the next pieces was never accepted; those of which all was are left out. */
  unsent(pieces: readonly Uint8Array[]): Uint8Array[] {
    const fresh: Uint8Array[] = []
    for (const piece of pieces) {
      const old = Math.min(this.#old, piece.length)
      this.#old -= old
      this.#repeated += old
      if (old < piece.length) fresh.push(piece.subarray(old))
    }
    return fresh
  }

  get #fresh(): number {
    return this.#writer.offset - this.#before
  }
}

/** Runs a write with what follows it, and tells what it moved. */
async function counted(
  writer: WriterPort,
  start: number | undefined,
  ending: Ending,
  wait: WaitOptions,
  run: (call: WriteCount) => Promise<void>,
): Promise<WriteResult> {
  const call = new WriteCount(writer, start)
  if (ending.eof === true) checkHalfClose(writer)
  try {
    await run(call)
    if (ending.drain === true) {
      if (start !== undefined && call.isRepeat) await drainAgain(writer, wait)
      else await writer.drain(wait)
    }
    if (ending.eof === true) endWriting(writer)
    return call.result
  } catch (error) {
    throw new CountedFailure(error, { bytesDelivered: 0, bytesAccepted: call.accepted })
  }
}

/**
 * The drain of a write that is only repeated: its connection may have ended since, as its peer wished. Errors: those of
 * `drain`, and what broke the connection.
 */
async function drainAgain(writer: WriterPort, wait: WaitOptions): Promise<void> {
  await writer.drain(wait).catch(error => closedInOrder(writer, wait, error))
}

/**
 * `drain` calls every connection that has ended reset, as asyncio does. `waitClosed` tells a connection that broke from one
 * that was closed: it throws the error that broke it.
 */
async function closedInOrder(writer: WriterPort, wait: WaitOptions, error: unknown): Promise<void> {
  if (!(error instanceof SockpoolError) || error.code !== 'CONNECTION_RESET') throw error
  await writer.waitClosed(wait)
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
  await writer.drain(wait).catch(error => closedInOrder(writer, wait, error))
  throw new SockpoolError('WRITE_CLOSED', 'the connection is closing and takes no more bytes')
}

/** Errors: INVALID_REQUEST at `eof` where the connection has no half that could be closed. */
export function checkHalfClose(writer: WriterPort): void {
  if (!writer.canWriteEof()) throw invalidField('eof', 'TLS cannot close one direction alone')
}
