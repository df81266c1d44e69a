import { array, assert, boolean, property } from 'fast-check'
import { expect, test } from 'vitest'
import { PlacedQueue } from '../../../src/base/placed-queue.ts'
import { Queue, type QueueEntry } from '../../../src/base/queue.ts'

test.each([Queue, PlacedQueue])('%o keeps the order of those who stay, whoever leaves', async Kind => {
  await assert(
    property(array(boolean(), { maxLength: 40 }), leaves => {
      const queue = new Kind<number>()
      const entries = leaves.map((_, value) => queue.add(value))
      for (const [index, isLeaving] of leaves.entries()) {
        if (!isLeaving) continue
        const entry = entries[index] as QueueEntry<number>
        expect(queue.remove(entry)).toBe(true)
        expect(queue.remove(entry)).toBe(false)
      }
      const stayed = [...leaves.keys()].filter(index => !leaves[index])
      expect(Array.from(queue, ({ value }) => value)).toEqual(stayed)
      expect(queue.size).toBe(stayed.length)
      expect(queue.first?.value).toBe(stayed[0])
    }),
  )
})

test('Queue lets the entry leave that is looked at, and the queue go on', () => {
  const queue = new Queue<string>()
  for (const value of 'abc') queue.add(value)
  const seen: string[] = []
  for (const entry of queue) {
    seen.push(entry.value)
    queue.remove(entry)
  }
  expect(seen).toEqual(['a', 'b', 'c'])
  expect(queue.first).toBe(null)
  queue.add('d')
  expect(Array.from(queue, ({ value }) => value)).toEqual(['d'])
})

test('Queue points from an entry that has left to nobody', () => {
  const queue = new Queue<number>()
  const [, second] = [queue.add(1), queue.add(2), queue.add(3)]
  queue.remove(second)
  expect(second).toMatchObject({ before: null, after: null })
})

test('PlacedQueue knows the place of each entry, and the entry at each place', async () => {
  await assert(
    property(array(boolean(), { maxLength: 40 }), leaves => {
      const queue = new PlacedQueue<number>()
      const entries = leaves.map((_, value) => queue.add(value))
      for (const [index, isLeaving] of leaves.entries())
        if (isLeaving) queue.remove(entries[index] as QueueEntry<number>)
      const stayed = Array.from(queue)
      expect(stayed.map(entry => queue.placeOf(entry))).toEqual([...stayed.keys()])
      expect(stayed.map((_, place) => queue.at(place))).toEqual(stayed)
      expect([queue.at(-1), queue.at(stayed.length)]).toEqual([null, null])
    }),
  )
})
