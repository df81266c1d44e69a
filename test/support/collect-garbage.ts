/** Garbage collection on demand, and the process warnings that come of it. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { onTestFinished } from 'vitest'
import { until } from './until.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Resolves at the first turn of the event loop in which `condition` holds, collecting in each; rejects as `until`. */
export function collectUntil(what: string, condition: () => boolean): Promise<void> {
  return until(what, () => {
    collect()
    return condition()
  })
}

/** Resolves once something that was out of reach before this call has been collected, and finalizers have run. */
export async function collected(): Promise<void> {
  let count = 0
  const registry = new FinalizationRegistry(() => count++)
  // Two in a row, as a finalizer may let go of more.
  for (const expected of [1, 2]) {
    registry.register({}, null)
    await collectUntil('garbage was collected', () => count >= expected)
  }
}

/** The messages of this name that come during the test, as they come. */
export function warningsNamed(name: string): readonly string[] {
  const messages: string[] = []
  const take = (warning: Error): void => {
    if (warning.name === name) messages.push(warning.message)
  }
  process.on('warning', take)
  onTestFinished(() => {
    process.off('warning', take)
  })
  return messages
}
