/** Resident memory of this process once nothing more is under way: what a dial leaves behind goes with the next collections. */
import { setTimeout as delay } from 'node:timers/promises'

/** Collections with a pause after each: what hangs on a finaliser goes with the second. */
const COLLECTIONS = 4
const PAUSE_MS = 250

export async function settledBytes(): Promise<number> {
  for (let round = 0; round < COLLECTIONS; round++) {
    globalThis.gc?.()
    await delay(PAUSE_MS)
  }
  return process.memoryUsage.rss()
}
