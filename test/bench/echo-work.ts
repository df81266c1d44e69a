/** What rows of echo and their contenders share: the message, and the work that is done with a reply. */

/** `turns` of work for each reply; 0 for none. */
export type EchoOptions = { readonly port: number; readonly connections: number; readonly turns: number }

export const MESSAGE: Buffer = Buffer.alloc(64, 0x61)

let sum = 0

/** Goes over the bytes so many times. */
export function work(bytes: Uint8Array, turns: number): void {
  for (let turn = 0; turn < turns; turn++)
    for (let at = 0; at < bytes.length; at++) sum = (Math.imul(sum, 31) + (bytes[at] ?? 0)) | 0
}

/** Turns of one try, and how long tries go on: the first ones are not compiled yet. */
const TRY_TURNS = 1_000
const TRIES_MS = 1_000

/** How many turns take so long on this machine, once they are compiled: counted once, so that all contenders do the same. */
export function turnsFor(us: number): number {
  if (us === 0) return 0
  let least = Number.POSITIVE_INFINITY
  const endMs = performance.now() + TRIES_MS
  for (let beganMs = performance.now(); beganMs < endMs; beganMs = performance.now()) {
    work(MESSAGE, TRY_TURNS)
    least = Math.min(least, ((performance.now() - beganMs) * 1_000) / TRY_TURNS)
  }
  return Math.max(1, Math.round(us / least))
}
