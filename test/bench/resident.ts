/** Resident memory of this process once nothing more is under way. */
import { setTimeout as delay } from 'node:timers/promises'
import { LIMITS } from '../../src/base/limits.ts'

/** Between two collections: what hangs on a finaliser goes with the second. */
const PAUSE_MS = 250
const COLLECTIONS_MIN = 4
/** A thread that has fallen quiet after a burst collects by itself at its next look but one. */
const SETTLING_MS = 2.5 * LIMITS.quietCollectionMs

/**
 * Bytes once what the dials left behind is collected: here as V8 does it when memory is short, as after any other collection
 * it keeps the pages, and what is counted is what there was; and by other threads as they do it. `share` of that time.
 */
export async function settledBytes(share: number): Promise<number> {
  const rounds = Math.max(COLLECTIONS_MIN, Math.ceil((share * SETTLING_MS) / PAUSE_MS))
  for (let round = 0; round < rounds; round++) {
    globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' })
    await delay(PAUSE_MS)
  }
  return process.memoryUsage.rss()
}
