/**
 * Reads that begin at an offset their caller names. What was read before comes out of the lease's window, and stays read:
 * the lease's own offset moves on by new bytes alone, so that a read that is only repeated leaves nothing unread.
 */
import { SockpoolError } from '../../base/errors.ts'
import { ReplaySource } from '../../streams/reading/replay-source.ts'
import { StreamReader } from '../../streams/reading/stream-reader.ts'
import type { LeaseEnds } from './lease-ends.ts'

/**
 * The bytes from an offset up to the lease's own; none where it is that one.
 *
 * Errors: OFFSET_MISMATCH beyond it; OFFSET_GONE before the window, or where there is none. Both with the lease's offset.
 */
export function bytesFrom({ reader, source }: LeaseEnds, wanted: number): Buffer {
  const { offset } = reader
  if (wanted > offset) {
    const message = `the next byte to read has the offset ${offset}; the read was to start at ${wanted}`
    throw new SockpoolError('OFFSET_MISMATCH', message, { offset })
  }
  const { window } = source
  const count = offset - wanted
  if (count > (window?.length ?? 0)) {
    const kept =
      window === null ? 'this lease keeps none' : `this lease keeps those from ${offset - window.length} on`
    throw new SockpoolError('OFFSET_GONE', `the bytes at ${wanted} were read, and ${kept}`, { offset })
  }
  return window?.last(count) ?? Buffer.alloc(0)
}

/**
 * Runs `read` on a reader of the stream from the offset on.
 *
 * Errors: those of `bytesFrom` and of `read`; READ_BUSY while another read has the stream.
 */
export async function readFrom<T>(
  ends: LeaseEnds,
  offset: number,
  read: (reader: StreamReader) => Promise<T>,
): Promise<T> {
  const { reader, source, onReset } = ends
  const old = bytesFrom(ends, offset)
  if (old.length === 0) return await read(reader)
  const value = await reader.lend(async () => {
    const replay = new ReplaySource(old, source)
    const { limit } = reader
    const again = new StreamReader({ onReset, limit, ...ends.framed }, replay)
    const outcome = await read(again).then(
      result => ({ ok: true, value: result }) as const,
      (error: Error) => ({ ok: false, error }) as const,
    )
    return { count: replay.fresh, interrupted: again.interrupted, outcome }
  }, 'read()')
  return value as T
}
