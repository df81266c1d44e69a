import { describe, expect, test } from 'vitest'
import { Quota } from '../../../src/http/door/quota.ts'
import type { TokenLimits } from '../../../src/http/parts.ts'

const full = expect.objectContaining({ code: 'QUEUE_FULL' })
const place = (port: number) => ({ host: 'a.example', port })

/** A quota beside a pool that says so many connections are abandoned, and how often it was asked. */
function quotaOf(limits: TokenLimits) {
  const pool = { abandoned: 0, asked: 0 }
  const quota = new Quota(limits, () => {
    pool.asked++
    return pool.abandoned
  })
  return { quota, pool }
}

describe('Quota', () => {
  test('bounds nothing that has no limit', () => {
    const { quota } = quotaOf({})
    for (let port = 1; port <= 1_000; port++) quota.enter(place(port))
    expect(quota.stats()).toEqual({ leases: 1_000, waiters: 1_000, targets: 1_000 })
  })

  test('bounds leases from the asking to their end', () => {
    const { quota } = quotaOf({ leases: 2 })
    const first = quota.enter('cache')
    const second = quota.enter('cache')
    first.leased()
    expect(() => quota.enter('cache')).toThrow(full)
    second.end()
    quota.enter('cache')
    expect(() => quota.enter('cache')).toThrow(full)
  })

  test('bounds waiters until they have their lease or give up', () => {
    const { quota } = quotaOf({ waiters: 1 })
    const first = quota.enter('cache')
    expect(() => quota.enter('cache')).toThrow(full)
    first.leased()
    const second = quota.enter('cache')
    expect(() => quota.enter('cache')).toThrow(full)
    second.end()
    quota.enter('cache')
    expect(quota.stats()).toEqual({ leases: 2, waiters: 1, targets: 0 })
  })

  test('bounds described targets by place, however often each is used', () => {
    const { quota } = quotaOf({ targets: 2 })
    const shares = [quota.enter(place(1)), quota.enter(place(1)), quota.enter(place(2))]
    expect(() => quota.enter(place(3))).toThrow(full)
    quota.enter('configured')
    shares[0]?.end()
    expect(() => quota.enter(place(3))).toThrow(full)
    shares[1]?.end()
    quota.enter(place(3))
  })

  test('counts a share once, whatever is said of it twice', () => {
    const { quota } = quotaOf({ leases: 1, waiters: 1, targets: 1 })
    const share = quota.enter(place(1))
    share.leased()
    share.leased()
    share.end()
    share.end()
    share.leased()
    expect(quota.stats()).toEqual({ leases: 0, waiters: 0, targets: 0 })
  })

  test('keeps nothing of what it refused', () => {
    const { quota } = quotaOf({ waiters: 1 })
    const share = quota.enter(place(1))
    expect(() => quota.enter(place(2))).toThrow(full)
    share.end()
    expect(quota.stats()).toEqual({ leases: 0, waiters: 0, targets: 0 })
  })

  test('bounds connections by its leases, from the asking to their end', () => {
    const { quota, pool } = quotaOf({ connections: 2 })
    const first = quota.enter('cache')
    quota.enter(place(1)).leased()
    expect(() => quota.enter('cache')).toThrow(full)
    first.leased()
    expect(() => quota.enter(place(2))).toThrow(full)
    first.end()
    quota.enter('cache')
    // Callers that stay leave nothing behind, so nobody has to be counted.
    expect(pool.asked).toBe(0)
  })

  test('bounds connections together with those that its callers left behind', () => {
    const { quota, pool } = quotaOf({ connections: 2 })
    quota.enter(place(1)).end()
    pool.abandoned = 1
    const held = quota.enter('cache')
    expect(() => quota.enter('cache')).toThrow(full)
    held.end()
    const again = quota.enter('cache')
    expect(() => quota.enter(place(1))).toThrow(full)
    pool.abandoned = 0
    quota.enter(place(1))
    expect(() => quota.enter('cache')).toThrow(full)
    again.end()
    quota.enter('cache')
  })

  test('asks for abandoned connections no more often than callers may have left them', () => {
    const { quota, pool } = quotaOf({ connections: 100 })
    // Each may have left one, so after a hundred it must look, and finds none.
    for (let n = 0; n <= 1_000; n++) quota.enter(place(n)).end()
    expect(pool.asked).toBe(10)
    for (let n = 0; n < 1_000; n++) quota.enter('cache').end()
    expect(pool.asked).toBe(10)
  })

  test('takes no connection of a configured target for an abandoned one', () => {
    const { quota, pool } = quotaOf({ connections: 1 })
    quota.enter('cache').end()
    quota.enter('cache').end()
    expect(pool.asked).toBe(0)
  })
})
