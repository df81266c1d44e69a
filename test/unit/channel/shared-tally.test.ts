import { describe, expect, test } from 'vitest'
import { SharedTallies } from '../../../src/channel/shared-tallies.ts'
import { SharedTally } from '../../../src/channel/shared-tally.ts'

describe('SharedTally', () => {
  test('counts a lease and a waiter where both have room, and neither where one has none', () => {
    const tally = new SharedTally(2, 0)
    expect([tally.enter(2, 1), tally.enter(2, 1)]).toEqual([true, false])
    tally.leave({ leases: 0, waiters: 1 })
    expect([tally.enter(2, 1), tally.enter(3, 1)]).toEqual([true, false])
    expect(tally.counts).toEqual({ leases: 2, waiters: 1 })
    tally.leave({ leases: 1, waiters: 1 })
    tally.leave({ leases: 1, waiters: 0 })
    expect(tally.counts).toEqual({ leases: 0, waiters: 0 })
  })

  test('is one for all who share its memory, and forgets the part of one of them', () => {
    const one = new SharedTally(2, 0)
    const other = new SharedTally(2, 1, one.memory)
    one.enter(10, 10)
    other.enter(10, 10)
    other.addBytes(7)
    one.addBytes(5)
    expect([one.counts, one.bytes]).toEqual([{ leases: 2, waiters: 2 }, 12])
    one.forgetPart(1)
    expect([other.counts, other.bytes]).toEqual([{ leases: 1, waiters: 1 }, 5])
    // The next of that slot begins with nothing.
    one.forgetPart(1)
    expect([other.counts, other.bytes]).toEqual([{ leases: 1, waiters: 1 }, 5])
  })

  test('begins another rate with a full bucket, where the first thread says so', () => {
    const one = new SharedTally(2, 0)
    const other = new SharedTally(2, 1, one.memory)
    expect([one.takeTurn(0n, 10n, 1n), one.takeTurn(0n, 10n, 1n)]).toEqual([0n, 10n])
    other.beginRate()
    expect(other.takeTurn(1n, 10n, 1n)).toBe(9n)
    one.beginRate()
    expect(other.takeTurn(1n, 10n, 1n)).toBe(0n)
  })
})

test('SharedTallies are the same for whoever adopts them, those too that come later', () => {
  const first = new SharedTallies(2, 0)
  first.of('ops').enter(5, 5)
  const second = new SharedTallies(2, 1, first.memories())
  expect(second.of('ops').counts.leases).toBe(1)
  first.of('late').addBytes(3)
  second.adopt(first.memories())
  expect([second.of('late').bytes, second.of('ops').counts.leases]).toEqual([3, 1])
  first.forgetPart(0)
  expect([second.of('late').bytes, second.of('ops').counts.leases]).toEqual([0, 0])
})
