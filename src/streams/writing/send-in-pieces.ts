/** Writes of any size through a writer whose buffer is bounded: what a foreign stream hands over comes as it comes. */
import { SockpoolError } from '../../base/errors.ts'
import type { StreamWriter } from './stream-writer.ts'

/** Bytes that the writer holds of a chunk at a time. */
const PIECE_BYTES = 1_048_576

/**
 * Writes the chunks and waits until the writer can take more.
 *
 * Errors: those of `drain`; WRITE_CLOSED where the writer closes and the bytes went nowhere.
 */
export async function sendInPieces(
  writer: StreamWriter,
  chunks: readonly (string | Uint8Array)[],
): Promise<void> {
  for (const chunk of chunks) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      writer.write(bytes.subarray(at, at + PIECE_BYTES))
      await writer.drain()
    }
  }
  await writer.drain()
  if (writer.isClosing()) throw new SockpoolError('WRITE_CLOSED', 'the connection is closing')
}
