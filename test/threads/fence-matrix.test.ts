/**
 * After a lease has ended, no call on any of its ends moves a byte or a word of any channel. Every end of a lease, every
 * way a lease may end and every moment in which it may are played together.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CELLS, cellsOf, ENDINGS, ENDS, impossibleByReason, MOMENTS } from '../support/fence-cells.ts'
import { watchChannels } from '../support/fence-channels.ts'
import { LibraryLane } from '../support/fence-lane.ts'
import { faultsOf, playCells } from '../support/fence-matrix.ts'
import { ServiceLane, watchServiceLogs, watchServicePools } from '../support/fence-service-lane.ts'
import { watchLeaks } from '../support/leak-watch.ts'

/** Cells that are played side by side: most of their time they wait. */
const LANES = 4

/** Milliseconds of one end, should each of its cells wait in vain. */
const TEST_TIMEOUT_MS = 240_000

let undo: readonly (() => void)[] = []
beforeAll(() => {
  undo = [watchChannels(), watchServicePools(), watchServiceLogs()]
})
afterAll(() => {
  for (const step of undo) step()
})

let played = 0

describe('an ended lease', () => {
  test.each(ENDS)(
    'moves nothing more by its end: %s',
    async end => {
      watchLeaks()
      const cells = cellsOf(end)
      const makeLane = () => (end === 'REST' ? ServiceLane.create() : LibraryLane.create())
      const outcome = await playCells(cells, makeLane, LANES)
      played += cells.length
      expect(faultsOf(outcome)).toEqual({ moved: [], answered: [] })
    },
    TEST_TIMEOUT_MS,
  )

  test('is played with every end, in every moment and by every ending', () => {
    const cells = ENDS.flatMap(cellsOf)
    expect(new Set(cells.map(({ end }) => end))).toEqual(new Set(ENDS))
    expect(new Set(cells.map(({ moment }) => moment))).toEqual(new Set(MOMENTS))
    expect(new Set(cells.map(({ ending }) => ending))).toEqual(new Set(ENDINGS))
    const rows = [...impossibleByReason()].map(([why, count]) => `${count} cannot exist: ${why}`)
    console.log([`${played} of ${CELLS.length} cells were played`, ...rows].join('\n'))
  })
})
