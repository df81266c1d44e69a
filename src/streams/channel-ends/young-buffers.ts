/**
 * The buffers that reads hand out, each with memory of its own. Most are garbage by the next read, but V8 calls for a
 * collection by such memory only at every 64 MiB, and then for a full one, which walks through all that the program holds.
 * A collection of the young frees them as well, in a fraction of a millisecond. It comes every few MiB: so the next ones lie
 * in memory that is still warm, and that the system has not taken back meanwhile.
 *
 * One for each thread. Slow readers hardly notice: a MiB a second is a collection in four seconds.
 */
import { type Collect, collector } from '../../base/collector.ts'
import { LIMITS } from '../../base/limits.ts'

let collect: Collect | null = null
let bytesSince = 0

/** A buffer of so many bytes, which may be garbage soon. */
export function youngBuffer(bytes: number): Buffer {
  note(bytes)
  return Buffer.allocUnsafe(bytes)
}

/** As `youngBuffer`, in memory of its own. */
export function ownBuffer(bytes: number): Buffer {
  note(bytes)
  return Buffer.allocUnsafeSlow(bytes)
}

function note(bytes: number): void {
  if (bytes < LIMITS.youngBufferBytesMin) return
  bytesSince += bytes
  if (bytesSince < LIMITS.youngCollectionBytes) return
  bytesSince = 0
  collect ??= collector()
  collect({ type: 'minor' })
}
