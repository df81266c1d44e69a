import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import { Patience } from '../../../src/channel/patience.ts'

const MOST_MS = 1

function open(mostMs = MOST_MS) {
  const clock = { ms: 1_000, looks: 0 }
  const patience = new Patience(mostMs, () => {
    clock.looks++
    return clock.ms
  })
  const sleep = (ms: number): void => {
    patience.sleeps()
    clock.ms += ms
    patience.wakes()
  }
  /** How many empty turns of so many milliseconds it looks on for. */
  const turns = (ms: number): number => {
    for (let count = 0; ; count++) {
      if (!patience.isLeft) return count
      clock.ms += ms
    }
  }
  return { clock, patience, sleep, turns }
}

test('Patience has none at first, nor after a long sleep', () => {
  const { clock, sleep, turns } = open()
  expect(turns(0.01)).toBe(0)
  sleep(MOST_MS)
  const { looks } = clock
  expect(turns(0.01)).toBe(0)
  expect(clock.looks).toBe(looks)
})

test('Patience looks on after a short sleep, for so long at the most', () => {
  const { sleep, turns } = open()
  sleep(MOST_MS / 2)
  expect(turns(1 / 64)).toBe(64)
  sleep(MOST_MS * 2)
  expect(turns(1 / 64)).toBe(0)
})

test('Patience begins anew where something was found', () => {
  const { patience, clock, sleep, turns } = open()
  sleep(0)
  for (let turn = 0; turn < 40; turn++) {
    expect(patience.isLeft).toBe(true)
    clock.ms += 1 / 64
  }
  patience.found()
  expect(turns(1 / 64)).toBe(64)
})

test('Patience is over for a while where a turn took long, as somebody else wants the processor', () => {
  const { clock, sleep, turns } = open()
  sleep(0)
  expect(turns(LIMITS.lookTurnMs * 2)).toBe(1)
  sleep(0)
  expect(turns(1 / 64)).toBe(0)
  clock.ms += LIMITS.lookPauseMs
  sleep(0)
  expect(turns(1 / 64)).toBe(64)
})

test('Patience of 0 never looks at the clock', () => {
  const { clock, sleep, turns } = open(0)
  sleep(0)
  expect([turns(1), clock.looks]).toEqual([0, 0])
})
