/** Who is there by the engine's word, and for how long those are remembered who are not. */
import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import { MemberList } from '../../../src/fleet/member-list.ts'
import { UnknownStarts } from '../../../src/fleet/unknown-starts.ts'

const TTL_MS = 15_000
const FACTS = {
  version: '1.0.0',
  startedAt: '2026-01-01T00:00:00Z',
  seenAt: 1_000,
  leases: 1,
  connections: 2,
}

function member(name: string, boot: string, url = `http://${name}.internal:7070`): readonly string[] {
  return [name, JSON.stringify({ ...FACTS, boot, url })]
}

describe('MemberList', () => {
  test('tells where a start is, and under which hosts all of them are reached', () => {
    const list = new MemberList('http://me.internal', TTL_MS)
    const { hosts } = list
    list.replace([...member('a', 'one'), ...member('b', 'two', 'https://b.internal')], ['one:a', 'two:b'], 0)
    expect(list.placeOf('a', 'one', 0)).toEqual({ kind: 'there', url: 'http://a.internal:7070' })
    expect([...hosts]).toEqual(['me.internal', 'a.internal:7070', 'b.internal'])
    list.replace(member('b', 'two'), ['one:a', 'two:b'], 5_000)
    expect([...hosts]).toEqual(['me.internal', 'b.internal:7070'])
    expect(list.size).toBe(1)
  })

  test('says so when the hosts have become others, and not where a member goes on', () => {
    const told: (readonly string[])[] = []
    const list = new MemberList('http://me.internal', TTL_MS, () => told.push([...list.hosts]))
    list.replace(member('a', 'one'), ['one:a'], 0)
    list.replace(member('a', 'one'), ['one:a'], 1_000)
    list.replace(member('a', 'one', 'http://moved.internal'), ['one:a'], 2_000)
    list.replace([], ['one:a'], 3_000)
    const own = 'me.internal'
    expect(told).toEqual([[own, 'a.internal:7070'], [own, 'moved.internal'], [own]])
  })

  test('counts those that were there within a TTL, where an engine that has lost all has heard only some', () => {
    const list = new MemberList('http://me.internal', TTL_MS)
    const all = [...member('a', 'one'), ...member('b', 'two'), ...member('c', 'three')]
    list.replace(all, [], 0)
    list.replace(member('a', 'one'), [], 60_000)
    expect([list.size, list.recent]).toEqual([1, 3])
    // The engine is away again: what was last known holds.
    list.replace([...member('a', 'one'), ...member('b', 'another')], [], 60_000 + TTL_MS - 1)
    expect([list.size, list.recent]).toEqual([2, 3])
    list.touch(60_000 + TTL_MS)
    expect([list.size, list.recent]).toEqual([2, 2])
  })

  test('has a start be lost that is gone, and one whose name another has', () => {
    const list = new MemberList('http://me.internal', TTL_MS)
    list.replace([...member('a', 'one'), ...member('b', 'two')], ['one:a', 'two:b'], 0)
    list.replace(member('a', 'three'), ['one:a', 'two:b', 'three:a'], 5_000)
    expect(list.placeOf('a', 'one', 5_000)).toEqual({ kind: 'lost' })
    expect(list.placeOf('b', 'two', 5_000)).toEqual({ kind: 'lost' })
    expect(list.placeOf('a', 'three', 5_000).kind).toBe('there')
    expect(list.placeOf('c', 'four', 5_000)).toEqual({ kind: 'unknown' })
  })

  test('has a start be missing for a TTL that the engine has forgotten, and then lost', () => {
    const list = new MemberList('http://me.internal', TTL_MS)
    list.replace(member('a', 'one'), ['one:a'], 0)
    list.touch(4_000)
    list.replace([], [], 6_000)
    expect(list.placeOf('a', 'one', 7_000)).toEqual({ kind: 'missing', decidedInMs: 14_000 })
    expect(list.placeOf('a', 'one', 21_000)).toEqual({ kind: 'lost' })
    list.replace([], [], 6_000 + TTL_MS + LIMITS.fleetForgetMs + 1)
    expect(list.placeOf('a', 'one', 0)).toEqual({ kind: 'unknown' })
  })

  test('may have missed starts that ended before it heard of any, or while it heard nothing, for as long as it remembers others', () => {
    const list = new MemberList('http://me.internal', TTL_MS)
    const heldMs = TTL_MS + LIMITS.fleetForgetMs
    for (let nowMs = 1_000; nowMs <= heldMs; nowMs += TTL_MS) list.touch(nowMs)
    expect([list.mayHaveMissed(heldMs - 1), list.mayHaveMissed(heldMs)]).toEqual([true, false])
    const backMs = heldMs + 2 * TTL_MS
    list.touch(backMs)
    expect([list.mayHaveMissed(backMs + heldMs - 1), list.mayHaveMissed(backMs + heldMs)]).toEqual([
      true,
      false,
    ])
  })

  test('refuses what no list of members can be, and stays as it was', () => {
    const list = new MemberList('http://me.internal', TTL_MS)
    list.replace(member('a', 'one'), ['one:a'], 0)
    const entry = (change: object): readonly string[] => {
      const [name = '', text = ''] = member('a', 'one')
      return [name, JSON.stringify({ ...JSON.parse(text), ...change })]
    }
    const wrong: readonly unknown[] = [
      null,
      'members',
      ['a', 1],
      ['a', '{'],
      ['a', 'null'],
      entry({ url: 'http://a.internal/path' }),
      entry({ url: 'javascript:alert(1)' }),
      entry({ url: 'http://a b' }),
      entry({ url: 'http://[' }),
      entry({ boot: 1 }),
      entry({ leases: -1 }),
      entry({ seenAt: 1e17 }),
      Array.from({ length: 2 * LIMITS.fleetInstancesMax + 2 }, () => 'a'),
    ]
    for (const members of wrong)
      expect.soft(() => list.replace(members, [], 1), JSON.stringify(members)?.slice(0, 80)).toThrow()
    expect(() => list.replace([], [1], 1)).toThrow('no starts')
    expect(list.placeOf('a', 'one', 1).kind).toBe('there')
  })
})

describe('UnknownStarts', () => {
  test('asks once for a start, and knows nobody only when the engine has answered', async () => {
    let asked = 0
    const answers = Promise.withResolvers<boolean>()
    const starts = new UnknownStarts(() => {
      asked++
      return answers.promise
    })
    expect([starts.isNobody('one:a'), starts.isNobody('one:a'), asked]).toEqual([false, false, 1])
    answers.resolve(true)
    await answers.promise
    await Promise.resolve()
    expect([starts.isNobody('one:a'), asked]).toEqual([true, 1])
  })

  test('asks again where the engine has not answered, and forgets the oldest of many', async () => {
    let asked = 0
    const starts = new UnknownStarts(async () => ++asked > 1)
    expect(starts.isNobody('one:a')).toBe(false)
    await new Promise(resolve => setImmediate(resolve))
    expect([starts.isNobody('one:a'), asked]).toEqual([false, 2])
    await new Promise(resolve => setImmediate(resolve))
    expect(starts.isNobody('one:a')).toBe(true)
    for (let i = 0; i < LIMITS.fleetUnknownMax; i++) starts.isNobody(`${i}:b`)
    expect(starts.isNobody('one:a')).toBe(false)
  })
})
