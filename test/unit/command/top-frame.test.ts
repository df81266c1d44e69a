import { describe, expect, test } from 'vitest'
import { connectionBar } from '../../../src/command/connection-bar.ts'
import type { ApiRow } from '../../../src/command/row-field.ts'
import type { ServiceLook } from '../../../src/command/service-look.ts'
import type { Paint } from '../../../src/command/terminal/paint.ts'
import { textWidth } from '../../../src/command/terminal/text-width.ts'
import { type TopView, topFrame } from '../../../src/command/top-frame.ts'

const plain: Paint = text => text

const target = (name: string, facts: ApiRow = {}): ApiRow => ({
  name,
  tenant: null,
  state: 'active',
  breaker: 'closed',
  connections: { connecting: 0, idle: 1, leased: 2, multiplexed: 0, quarantined: 0, closing: 0, max: 4 },
  waiters: 0,
  expectedWaitMs: 0,
  opened: 3,
  served: 100,
  ...facts,
})

const worker = (facts: ApiRow = {}): ApiRow => ({
  ...{ id: 0, kind: 'io', state: 'serving', threadId: 1, connections: 3, utilization: 0.42 },
  ...{ bytesIn: 1_024, bytesOut: 2_048 },
  ...facts,
})

const look = (atMs: number, targets: readonly ApiRow[], workers: readonly ApiRow[]): ServiceLook => ({
  atMs,
  stats: { leases: 2, waiters: 0, uptimeMs: 192_000, parse: { workers: 1, busy: 0, queued: 0 } },
  targets,
  workers,
})

const view = (facts: Partial<TopView> = {}): TopView => ({
  place: 'http://127.0.0.1:7070',
  look: look(2_000, [target('cache', { served: 150 }), target('db')], [worker({ bytesIn: 3_072 })]),
  before: look(1_000, [target('cache')], [worker()]),
  fault: null,
  order: 'name',
  scroll: 0,
  ...facts,
})

const frame = (facts: Partial<TopView> = {}, size: { columns: number; rows: number } | null = null) =>
  topFrame(view(facts), { size, paint: plain }).lines

describe('a frame of top', () => {
  test('tells rates by what has changed between two looks', () => {
    const lines = frame()
    expect(lines[0]).toBe('sockpool http://127.0.0.1:7070')
    expect(lines[1]).toContain('up 3m12s   leases 2   waiters 0')
    expect(lines[2]).toBe('leases 50/s   dials 0/s   in 2 KiB/s   out 0 B/s')
    expect(lines[4]).toMatch(
      /^TARGET +STATE +BREAKER +CONNECTIONS +IN USE +IDLE +WAITERS +WAIT +LEASES\/s +DIALS\/s$/,
    )
    expect(lines[5]).toMatch(/^cache +active +closed +██▒· +2\/4 +1 +0 +0 ms +50 +0$/)
    // A target that was not there before has no rate.
    expect(lines[6]).toMatch(/^db +active +closed +██▒· +2\/4 +1 +0 +0 ms +- +-$/)
    expect(lines.at(-1)).toMatch(/^0 +io +serving +42 % +3 +2 KiB +0 B +-$/)
  })

  test('has no rates of a first look, nor of a worker that was replaced', () => {
    expect(frame({ before: null })[2]).toBe('leases -/s   dials -/s   in -/s   out -/s')
    const replaced = look(2_000, [], [worker({ threadId: 2, bytesIn: 10 })])
    expect(frame({ look: replaced }).at(-1)).toMatch(/42 % +3 +- +- +-$/)
  })

  test('has no rate of a count that has begun anew', () => {
    const anew = look(2_000, [target('cache', { served: 3 })], [])
    expect(frame({ look: anew })[5]).toMatch(/ - +0$/)
  })

  test('is no larger than the terminal, whatever it is called and however small that is', () => {
    const named = Array.from({ length: 40 }, (_, index) => target(`漢字-${'x'.repeat(index)}`))
    const busy = view({
      look: look(
        2_000,
        named,
        Array.from({ length: 30 }, () => worker()),
      ),
      fault: 'no '.repeat(99),
    })
    for (const [columns, rows] of [
      [200, 60],
      [80, 24],
      [40, 10],
      [20, 5],
      [1, 1],
    ] as const) {
      const { lines } = topFrame(busy, { size: { columns, rows }, paint: plain })
      expect(lines.length).toBeLessThanOrEqual(rows)
      for (const line of lines) expect(textWidth(line)).toBeLessThanOrEqual(columns)
    }
  })

  test('scrolls through more targets than fit, and says how many come behind', () => {
    const many = Array.from({ length: 40 }, (_, index) => target(`t${String(index).padStart(2, '0')}`))
    const facts = { look: look(2_000, many, [worker()]) }
    const shown = (scroll: number) =>
      frame({ ...facts, scroll }, { columns: 100, rows: 20 }).filter(line => /^(t\d\d|…)/.test(line))
    expect(shown(0)[0]).toMatch(/^t00/)
    expect(shown(0).at(-1)).toMatch(/^… \d+ more$/)
    expect(shown(5)[0]).toMatch(/^t05/)
    expect(shown(39).at(-1)).toMatch(/^t39/)
    const scrolled = (scroll: number) =>
      topFrame(view({ ...facts, scroll }), { size: { columns: 100, rows: 20 }, paint: plain }).scroll
    expect(scrolled(5)).toBe(5)
    // The next key up shows another line.
    expect(shown(scrolled(39))).toEqual(shown(39))
    expect(shown(scrolled(39) - 1)).not.toEqual(shown(39))
  })

  test.each([
    ['name', ['a', 'b', 'c']],
    ['waiters', ['b', 'a', 'c']],
    ['in use', ['c', 'a', 'b']],
    ['leases/s', ['b', 'c', 'a']],
  ] as const)('is sorted by %s', (order, names) => {
    const rows = [
      target('b', { waiters: 9, connections: { leased: 0, max: 4 }, served: 109 }),
      target('a', { waiters: 1, served: 101 }),
      target('c', { connections: { leased: 1, multiplexed: 3, max: 4 }, served: 105 }),
    ]
    const before = look(
      1_000,
      ['a', 'b', 'c'].map(name => target(name)),
      [],
    )
    const lines = frame({ look: look(2_000, rows, []), before, order })
    expect(lines.slice(5, 8).map(line => line[0])).toEqual(names)
  })

  test('says why the service does not answer, and shows what it said last', () => {
    const lines = frame({ fault: 'cannot reach it\x1b[2J' })
    expect(lines).toContain('cannot reach it\\x1b[2J')
    expect(lines.join('\n')).toContain('cache')
    expect(frame({ fault: 'cannot reach it', look: null, before: null })).toContain('cannot reach it')
  })

  test('takes nothing on trust', () => {
    const odd = look(
      2_000,
      [{ name: { a: 1 }, connections: 'many', served: 'x' }, {}],
      [{ utilization: 'x' }],
    )
    expect(frame({ look: odd }).join('\n')).toContain('{"a":1}')
  })
})

describe('the bar of connections', () => {
  const bar = (connections: ApiRow): string => connectionBar({ connections })

  test.each([
    [{ leased: 1, idle: 2, connecting: 1, max: 6 }, '█▒▒░··          '],
    [{ leased: 1, multiplexed: 1, quarantined: 1, closing: 1, max: 4 }, '█▓××            '],
    [{ leased: 16, max: 16 }, '████████████████'],
    // A single one among many is seen.
    [{ leased: 1, idle: 1, max: 1_000 }, '█▒··············'],
    [{ leased: 999, idle: 1, max: 1_000 }, '███████████████▒'],
    // A pool that was made smaller than what is out.
    [{ leased: 4, max: 2 }, '████            '],
    [{}, '·               '],
  ])('of %j is %s', (connections, expected) => {
    expect(bar(connections)).toBe(expected)
  })
})
