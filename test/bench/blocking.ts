/** Has the calling thread do nothing else for 50 ms of every 100. */

const BLOCKED_MS = 50
const EVERY_MS = 100

/** Begins; the function that it returns ends it. */
export function beginBlocking(): () => void {
  const timer = setInterval(() => {
    const endMs = performance.now() + BLOCKED_MS
    while (performance.now() < endMs) {}
  }, EVERY_MS)
  return () => clearInterval(timer)
}

/** Whole periods, so that each run is blocked for the same share of its time. */
export function periodsOf(forMs: number): number {
  return Math.max(3, Math.ceil(forMs / EVERY_MS)) * EVERY_MS
}
