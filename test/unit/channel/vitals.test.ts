import { expect, test } from 'vitest'
import { allocateVitals, Vitals } from '../../../src/channel/vitals.ts'

test('Vitals shows the other thread what the worker counted', () => {
  const memory = allocateVitals()
  const worker = new Vitals(memory)
  const seen = new Vitals(memory)
  worker.add('beats', 1)
  worker.add('beats', 1)
  worker.add('bytesIn', 5)
  worker.add('missedWakes', 3)
  worker.add('stallsOut', 4)
  expect(seen.beats).toBe(2)
  expect(seen.snapshot()).toEqual({
    beats: 2,
    dialled: 0,
    bytesIn: 5,
    bytesOut: 0,
    missedWakes: 3,
    stallsIn: 0,
    stallsOut: 4,
  })
})

test('Vitals counts beyond 32 bits', () => {
  const memory = allocateVitals()
  const worker = new Vitals(memory)
  for (let round = 0; round < 5; round++) worker.add('bytesOut', 2 ** 31)
  expect(new Vitals(memory).snapshot().bytesOut).toBe(5 * 2 ** 31)
})
