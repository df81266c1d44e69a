/**
 * Fails the test that leaves something behind. The first fixture of a test starts the watch; as fixtures are undone
 * in reverse, it looks when all of them are gone.
 */
import type { Worker } from 'node:worker_threads'
import { onTestFinished } from 'vitest'
import { until } from './until.ts'

const threads = new Set<Worker>()
process.on('worker', worker => {
  threads.add(worker)
  worker.once('exit', () => threads.delete(worker))
})

let watches = false

/** Kinds of open handles, timers and requests, and how many of each. */
function census(): Map<string, number> {
  const counts = new Map<string, number>()
  for (const name of process.getActiveResourcesInfo()) counts.set(name, (counts.get(name) ?? 0) + 1)
  return counts
}

/** What there is more of now than before. */
function surplus(before: ReadonlyMap<string, number>, threadsBefore: number): string[] {
  const more = [...census()].filter(([name, count]) => count > (before.get(name) ?? 0))
  const rows = more.map(([name, count]) => `${count - (before.get(name) ?? 0)} ${name}`)
  return threads.size > threadsBefore ? [...rows, `${threads.size - threadsBefore} threads`] : rows
}

export function watchLeaks(): void {
  if (watches) return
  watches = true
  const before = census()
  const threadsBefore = threads.size
  onTestFinished(async () => {
    watches = false
    const left = (): string[] => surplus(before, threadsBefore)
    await until('nothing was left behind', () => left().length === 0, 3_000).catch(() => {
      throw new Error(`left behind: ${left().join(', ')}`)
    })
  })
}
