/**
 * The fence under a crowd: leases of several tenants begin and end side by side in every way there is, and what was kept of
 * ended ones is used at any time. SOCKPOOL_TEST_LONG=1 walks far, SOCKPOOL_TEST_SEED repeats a walk.
 */
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { watchChannels } from '../support/fence-channels.ts'
import { watchServiceLogs, watchServicePools } from '../support/fence-service-lane.ts'
import { runWalk } from '../support/fence-walk-run.ts'
import { watchLeaks } from '../support/leak-watch.ts'

const { SOCKPOOL_TEST_LONG, SOCKPOOL_TEST_SEED, SOCKPOOL_TEST_LEASES } = process.env
const LEASES = Number(SOCKPOOL_TEST_LEASES ?? (SOCKPOOL_TEST_LONG === '1' ? 1_000_000 : 20_000))
const SEED = Number(SOCKPOOL_TEST_SEED ?? Math.floor(Math.random() * 1_000_000))
const TEST_TIMEOUT_MS = SOCKPOOL_TEST_LONG === '1' ? 7_200_000 : 240_000

let undo: readonly (() => void)[] = []
beforeAll(() => {
  undo = [watchChannels(), watchServicePools(), watchServiceLogs()]
})
afterAll(() => {
  for (const step of undo) step()
})

test(
  `${LEASES} leases that begin and end at random move no byte, word or slot of one another (seed ${SEED})`,
  async () => {
    watchLeaks()
    const steps: (() => Promise<unknown>)[] = []
    onTestFinished(async () => {
      for (const step of steps) await step()
    })
    const { figures, faults, answered, peers, left, missedWakes } = await runWalk(LEASES, SEED, step => {
      steps.unshift(step)
    })
    console.log([`seed ${SEED}`, ...figures, JSON.stringify(peers)].join('\n'))
    expect({
      faults,
      answered,
      foreign: peers.foreign,
      foreignCount: peers.foreignCount,
      left,
      missedWakes,
    }).toEqual({
      faults: [],
      answered: {},
      foreign: [],
      foreignCount: 0,
      left: '',
      missedWakes: 0,
    })
  },
  TEST_TIMEOUT_MS,
)
