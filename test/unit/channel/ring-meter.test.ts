import { expect, test } from 'vitest'
import { counterSpan } from '../../../src/channel/ring-end.ts'
import { RingMeter } from '../../../src/channel/ring-meter.ts'
import { SharedWords } from '../../../src/channel/words.ts'

const SPAN = counterSpan(4_096)

function meterFrom(start: number) {
  const words = new SharedWords(new Int32Array(new SharedArrayBuffer(64)), 0, 1)
  words.store(0, start)
  return { words, meter: new RingMeter(words, 0, SPAN) }
}

test('RingMeter counts from where it begins, over the wrap of the counter', () => {
  const { words, meter } = meterFrom(SPAN - 10)
  expect(meter.total).toBe(0)
  words.store(0, SPAN - 3)
  expect(meter.total).toBe(7)
  words.store(0, 5)
  expect(meter.total).toBe(15)
  expect(meter.total).toBe(15)
})

test('RingMeter counts a tail alike, whichever memory it names', () => {
  const { words, meter } = meterFrom(100)
  words.store(0, ~160)
  expect(meter.total).toBe(60)
  words.store(0, 170)
  expect(meter.total).toBe(70)
})
