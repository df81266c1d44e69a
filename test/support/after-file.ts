/**
 * Ends what was opened for a whole test file, the last first, as `afterAll` does. vitest hears hooks while it gathers tests
 * alone: an `afterAll` that a running `beforeAll` calls is never run, and what it was to end outlives the file.
 */
import { afterAll } from 'vitest'

const ends: (() => unknown)[] = []

/** To be called anywhere, a running hook included. */
export function afterFile(end: () => unknown): void {
  ends.push(end)
}

afterAll(async () => {
  const failures: unknown[] = []
  for (const end of ends.splice(0).reverse()) {
    try {
      await end()
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, 'not all ended that was opened for this file')
})
