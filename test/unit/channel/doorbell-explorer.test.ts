/** Every interleaving of those who ring a doorbell with the one who sleeps at it. */
import { describe, expect, test } from 'vitest'
import { Ringer, RungSet, TurnRinger } from '../../../src/channel/doorbell.ts'
import { explore, type Scene, type Thread, type ThreadMemory } from '../../support/interleavings.ts'
import { check } from '../../support/ring-threads.ts'

/** Work that a ringer announces: its turn's number, in a word of its own. */
const WORK = [20, 21] as const
const SLEEPING = 0
const FIRST_BITS = 16

type RingerState = { readonly rung: number }

function ringer(
  channel: 0 | 1,
  rings: number,
  ring = (words: ThreadMemory) => new Ringer(words).ring(channel),
): Thread<RingerState> {
  return {
    name: `ringer${channel}`,
    start: { rung: 0 },
    operation({ rung }, memory) {
      memory.store(WORK[channel], rung + 1)
      ring(memory)
      return rung + 1 === rings ? null : { rung: rung + 1 }
    },
  }
}

type SleeperState = { readonly seen0: number; readonly seen1: number; readonly phase: 'look' | 'sleep' }

/** Ends once it has seen all work of both, and so waits for ever where a ring was lost. */
function sleeper(
  rings: number,
  trySleep = (memory: ThreadMemory) => new RungSet(memory, 2).trySleep(),
): Thread<SleeperState> {
  return {
    name: 'sleeper',
    start: { seen0: 0, seen1: 0, phase: 'look' },
    operation({ seen0, seen1, phase }, memory) {
      if (phase === 'sleep') {
        if (trySleep(memory)) memory.wait(SLEEPING, 1)
        return { seen0, seen1, phase: 'look' }
      }
      const seen = [seen0, seen1] as [number, number]
      new RungSet(memory, 2).sweep(channel => {
        check(channel === 0 || channel === 1, `channel ${channel} never rang`)
        seen[channel as 0 | 1] = memory.load(WORK[channel as 0 | 1])
      })
      if (seen[0] === rings && seen[1] === rings) return null
      return { seen0: seen[0], seen1: seen[1], phase: 'sleep' }
    },
  }
}

const bellScene = (...threads: Thread[]): Scene => ({
  words: new Array<number>(22).fill(0),
  bytes: new Uint8Array(0),
  threads,
})

describe('Ringer and RungSet', () => {
  test.each([1, 2])('lose no ring of two ringers who ring %i times each', rings => {
    expect(explore(bellScene(ringer(0, rings), ringer(1, rings), sleeper(rings))).states).toBeGreaterThan(100)
  })

  test('lose no ring of one who rings at the end of its turn', () => {
    const atTurnEnd = (memory: ThreadMemory): void => {
      const turn = new TurnRinger(memory, () => {})
      turn.ring(0)
      turn.ring(0)
      turn.flush()
    }
    expect(explore(bellScene(ringer(0, 1, atTurnEnd), ringer(1, 1), sleeper(1))).states).toBeGreaterThan(100)
  })

  test('would lose one if the sleeper looked before it raised its flag', () => {
    const hasty = sleeper(1, memory => {
      const isEmpty = new RungSet(memory, 2).isEmpty
      if (isEmpty) memory.store(SLEEPING, 1)
      return isEmpty
    })
    expect(() => explore(bellScene(ringer(0, 1), ringer(1, 1), hasty))).toThrow(/^deadlock: sleeper/)
  })

  test('would lose one if the ringer lowered the flag before it set its bit', () => {
    const ring = (memory: ThreadMemory): void => {
      if (memory.exchange(SLEEPING, 0) === 1) memory.notify(SLEEPING)
      memory.or(FIRST_BITS, 1)
    }
    expect(() => explore(bellScene(ringer(0, 1, ring), ringer(1, 1), sleeper(1)))).toThrow(
      /^deadlock: sleeper/,
    )
  })
})
