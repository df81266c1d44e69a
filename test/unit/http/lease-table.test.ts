import { describe, expect, test } from 'vitest'
import { LeaseTable } from '../../../src/http/leases/lease-table.ts'
import { FakeLease, onFault } from './fakes.ts'

const lease = () => new FakeLease('cache', {})

describe('LeaseTable', () => {
  test('finds a lease for its tenant alone', () => {
    const table = new LeaseTable({ onFault })
    const held = table.add(lease(), 'a')
    expect(table.find(held.lease.id, 'a')).toBe(held)
    expect(() => table.find(held.lease.id, 'b')).toThrow(expect.objectContaining({ code: 'LEASE_NOT_FOUND' }))
    expect(table.list('a')).toEqual([held])
    expect(table.list('b')).toEqual([])
  })

  test('tells why a lease is gone to its tenant alone', async () => {
    const table = new LeaseTable({ onFault })
    const held = lease()
    table.add(held, 'a')
    held.end('killed')
    expect(() => table.find(held.id, 'a')).toThrow(
      expect.objectContaining({ code: 'LEASE_GONE', reason: 'killed' }),
    )
    await held.ended
    expect(table.stats()).toEqual({ held: 0, tombstones: 1 })
    expect(() => table.find(held.id, 'a')).toThrow(
      expect.objectContaining({ code: 'LEASE_GONE', reason: 'killed' }),
    )
    expect(() => table.find(held.id, 'b')).toThrow(expect.objectContaining({ code: 'LEASE_NOT_FOUND' }))
  })

  test('tells why a lease is gone for ten minutes, and knows nothing of it after that', async () => {
    let now = 0
    const table = new LeaseTable({ onFault, now: () => now })
    const held = lease()
    table.add(held, 'a')
    held.end('expired')
    await held.ended
    now = 10 * 60_000 - 1
    expect(() => table.find(held.id, 'a')).toThrow(
      expect.objectContaining({ code: 'LEASE_GONE', reason: 'expired' }),
    )
    now = 10 * 60_000 + 1
    expect(() => table.find(held.id, 'a')).toThrow(expect.objectContaining({ code: 'LEASE_NOT_FOUND' }))
  })

  test('keeps a bounded number of tombstones, the latest', async () => {
    const table = new LeaseTable({ onFault, tombstonesMax: 2 })
    const leases = [lease(), lease(), lease()]
    for (const each of leases) {
      table.add(each, 'a')
      each.end('released')
      await each.ended
    }
    expect(table.stats().tombstones).toBe(2)
    const codes = leases.map(({ id }) => {
      try {
        return table.find(id, 'a')
      } catch (error) {
        return (error as { code: string }).code
      }
    })
    expect(codes).toEqual(['LEASE_NOT_FOUND', 'LEASE_GONE', 'LEASE_GONE'])
  })

  test('sweeps tombstones that have aged', async () => {
    let now = 0
    const table = new LeaseTable({ onFault, now: () => now, tombstoneMs: 100 })
    for (now = 0; now < 1_000; now += 50) {
      const each = lease()
      table.add(each, 'a')
      each.end('released')
      await each.ended
    }
    expect(table.stats().tombstones).toBe(2)
  })
})
