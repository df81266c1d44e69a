/** How the process ends, by what asked for it. */
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Shutdown } from '../../../src/command/shutdown.ts'

const ECHO_MS = 100
const SIGTERM = { kind: 'signal', signal: 'SIGTERM' } as const

let exits: unknown[] = []

beforeEach(() => {
  exits = []
  vi.useFakeTimers({ toFake: ['performance'] })
  vi.spyOn(process, 'on').mockReturnValue(process)
  vi.spyOn(process, 'exit').mockImplementation(code => void exits.push(code) as never)
})

afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

/** `drained`: ends the drain. */
function install(echoMs = 0): { readonly shutdown: Shutdown; readonly drained: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  const shutdown = Shutdown.install({
    close: () => promise,
    leases: () => 1,
    drainMs: () => 60_000,
    closeMarginMs: 1_000,
    reload: () => {},
    echoMs,
    log: pino({ enabled: false }),
    sink: { flushed: async () => {} },
  })
  return { shutdown, drained: resolve }
}

test('Shutdown goes on to drain at the first signal after its name was taken, and exits 1 at the end', async () => {
  const { shutdown, drained } = install()
  shutdown.begin({ kind: 'replaced' })
  shutdown.begin(SIGTERM)
  expect(exits).toEqual([])
  drained()
  await vi.waitFor(() => expect(exits).toEqual([1]))
})

test('Shutdown exits at the second signal after its name was taken, but for an echo of the first', () => {
  const { shutdown, drained } = install(ECHO_MS)
  shutdown.begin({ kind: 'replaced' })
  shutdown.begin(SIGTERM)
  shutdown.begin(SIGTERM)
  expect(exits).toEqual([])
  vi.advanceTimersByTime(ECHO_MS + 1)
  shutdown.begin(SIGTERM)
  expect(exits).toEqual([1])
  drained()
})

test('Shutdown exits at the second signal where the first began the drain', () => {
  const { shutdown, drained } = install()
  shutdown.begin(SIGTERM)
  shutdown.begin({ kind: 'replaced' })
  expect(exits).toEqual([])
  shutdown.begin(SIGTERM)
  expect(exits).toEqual([1])
  drained()
})
