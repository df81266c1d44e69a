import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import { AsideList } from '../../../src/streams/channel-ends/aside-list.ts'

type Step =
  | { readonly put: 'push' | 'append' | 'unshift' | 'appendInto'; readonly bytes: Uint8Array }
  | { readonly take: 'takeInto' | 'takeWhole' | 'drop' | 'reserve'; readonly count: number }

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 9 }),
  fc.integer({ min: 400, max: 40_000 }).map(length => new Uint8Array(length).fill(length)),
)

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ put: fc.constantFrom('push', 'append', 'unshift', 'appendInto'), bytes }),
  fc.record({
    take: fc.constantFrom('takeInto', 'takeWhole', 'drop', 'reserve'),
    count: fc.oneof(fc.nat(9), fc.nat(50_000)),
  }),
)

/** Does a step to the list and to bytes that lie in one piece, and compares what both say. */
function both(list: AsideList, model: Buffer, next: Step): Buffer {
  if ('put' in next) {
    const piece = Buffer.from(next.bytes)
    if (next.put === 'appendInto') {
      const count = list.appendInto(piece.length, target => piece.copy(target))
      return Buffer.concat([model, piece.subarray(0, count)])
    }
    list[next.put](Buffer.from(piece))
    return Buffer.concat(next.put === 'unshift' ? [piece, model] : [model, piece])
  }
  if (next.take === 'reserve') {
    list.reserve(next.count)
    return model
  }
  const count = Math.min(next.count, model.length)
  if (next.take === 'takeWhole') {
    const whole = list.takeWhole(count)
    if (whole === null) return model
    expect(whole.equals(model.subarray(0, count))).toBe(true)
    whole.fill('-')
    return model.subarray(count)
  }
  if (next.take === 'drop') list.drop(count)
  else {
    const target = Buffer.alloc(count)
    list.takeInto(target)
    expect(target.equals(model.subarray(0, count))).toBe(true)
  }
  return model.subarray(count)
}

test('AsideList holds the bytes that it was given, in their order, whatever the pieces', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), steps => {
      const list = new AsideList()
      let model: Buffer = Buffer.alloc(0)
      for (const next of steps) {
        model = both(list, model, next)
        const views = [...list.views()]
        expect(list.length).toBe(model.length)
        expect(views.every(view => view.length > 0)).toBe(true)
        expect(Buffer.concat(views).equals(model)).toBe(true)
        expect(list.first()?.equals(views[0] as Buffer)).toBe(views.length > 0 ? true : undefined)
      }
      expect(list.takeAll().equals(model)).toBe(true)
      expect([list.length, list.first()]).toEqual([0, undefined])
    }),
    { numRuns: 300 },
  )
})

test('AsideList gives bytes for which it has reserved room as they lie, in memory of their own', () => {
  const list = new AsideList()
  list.push(Buffer.from('abcd'))
  list.reserve(8)
  let block: ArrayBufferLike | null = null
  expect(list.appendInto(3, target => (block = target.fill('e').buffer))).toBe(3)
  expect(list.takeWhole(7)).toBe(null)
  expect(list.appendInto(3, target => target.fill('f'))).toBe(1)
  expect(list.appendInto(3, target => target.fill('g'))).toBe(0)
  const whole = list.takeWhole(8)
  expect([whole?.toString(), whole?.buffer === block, whole?.buffer.byteLength]).toEqual([
    'abcdeeef',
    true,
    8,
  ])
  expect([list.length, list.takeWhole(0)]).toEqual([0, null])
})

test('AsideList reserves no more in one piece than its bound, however much is there', () => {
  const list = new AsideList()
  list.push(Buffer.alloc(LIMITS.asideBlockBytesMax / LIMITS.asideShareMax + 1))
  list.reserve(LIMITS.asideBlockBytesMax + 1)
  expect(list.appendInto(1, target => target.fill('x'))).toBe(0)
  list.reserve(LIMITS.asideBlockBytesMax)
  expect(list.appendInto(1, target => target.fill('x'))).toBe(1)
})

test('AsideList.takeEachThrough takes as many as it is told, as far as the first chunk goes', () => {
  const list = new AsideList()
  list.push(Buffer.from('one\ntwo\nthree\nfo'))
  list.append(Buffer.from('ur\n'))
  const taken = list.takeEachThrough(0x0a, 3, 9)
  expect(taken.map(String)).toEqual(['one\n', 'two\n'])
  list.unshift(Buffer.from('2\n3\n'))
  expect(taken.map(String)).toEqual(['one\n', 'two\n'])
  expect(list.takeEachThrough(0x0a, 9, 1).map(String)).toEqual(['2\n'])
  expect(list.takeEachThrough(0x0a, 9, 9).map(String)).toEqual(['3\n'])
  expect(list.takeEachThrough(0x0a, 9, 9).map(String)).toEqual(['three\n'])
  expect(list.takeEachThrough(0x0a, 9, 9)).toEqual([])
  expect(String(list.takeAll())).toBe('four\n')
  expect(list.takeEachThrough(0x0a, 9, 9)).toEqual([])
})

test('AsideList.takeThrough gives views that nothing is written into later', () => {
  const list = new AsideList()
  list.push(Buffer.from('one\ntwo\nthr'))
  list.append(Buffer.from('ee\n'))
  expect(list.takeThrough(0x0a, 2)).toBeNull()
  const one = list.takeThrough(0x0a, 3)
  expect(String(one)).toBe('one\n')
  list.unshift(Buffer.from('ONE\n'))
  expect([String(one), String(list.takeThrough(0x0a, 9))]).toEqual(['one\n', 'ONE\n'])
  const two = list.takeThrough(0x0a, 9)
  expect(String(two)).toBe('two\n')
  // What is cut by the end of a chunk is for other calls.
  expect(list.takeThrough(0x0a, 9)).toBeNull()
  list.unshift(Buffer.from('2'))
  expect([String(two), list.length]).toEqual(['two\n', 7])
  expect(String(list.takeAll())).toBe('2three\n')
})
