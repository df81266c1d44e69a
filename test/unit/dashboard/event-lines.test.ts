import fc from 'fast-check'
import { expect, test } from 'vitest'
import { EventLines } from '../../../src/dashboard/service/event-lines.ts'
import { COMMENT, eventText } from '../../../src/http/streaming/event-text.ts'

const told = [
  eventText({ id: 'a-1', event: 'lease', data: '{"target":"it","ms":0.25}' }),
  COMMENT,
  eventText({ id: 'a-2', event: 'worker', data: '{"worker":3,"reason":"lost"}' }),
  eventText({ event: 'dropped', data: '{"count":7}' }),
  'event: broken\ndata: {no\n\n',
  eventText({ event: 'end', data: '{}' }),
].join('')

test('EventLines gives the events that the service sends, however they are cut', () => {
  const nothing = { id: null, target: null, reason: null, ms: null, worker: null, count: 0 }
  fc.assert(
    fc.property(fc.array(fc.nat(told.length)), cuts => {
      const places = [0, ...cuts.toSorted((a, b) => a - b), told.length]
      const lines = new EventLines()
      const events = places.slice(1).flatMap((end, at) => lines.feed(told.slice(places[at], end)))
      expect(events).toEqual([
        { ...nothing, kind: 'lease', id: 'a-1', target: 'it', ms: 0.25 },
        { ...nothing, kind: 'worker', id: 'a-2', worker: 3, reason: 'lost' },
        { ...nothing, kind: 'dropped', count: 7 },
        { ...nothing, kind: 'end' },
      ])
    }),
  )
})

test('EventLines keeps no more of an event without an end than any has', () => {
  const lines = new EventLines()
  expect(lines.feed('x'.repeat(70_000))).toEqual([])
  expect(lines.feed('\n\nevent: lease\ndata: {"ms":1}\n\n')).toMatchObject([{ kind: 'lease', ms: 1 }])
})
