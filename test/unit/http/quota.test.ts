import { describe, expect, test } from 'vitest'
import { Quota } from '../../../src/http/door/quota.ts'

const full = expect.objectContaining({ code: 'QUEUE_FULL' })
const place = (port: number) => ({ host: 'a.example', port })

describe('Quota', () => {
  test('bounds nothing that has no limit', () => {
    const quota = new Quota({})
    for (let port = 1; port <= 1_000; port++) quota.enter(place(port))
    expect(quota.stats()).toEqual({ leases: 1_000, waiters: 1_000, targets: 1_000 })
  })

  test('bounds leases from the asking to their end', () => {
    const quota = new Quota({ leases: 2 })
    const first = quota.enter('cache')
    const second = quota.enter('cache')
    first.leased()
    expect(() => quota.enter('cache')).toThrow(full)
    second.end()
    quota.enter('cache')
    expect(() => quota.enter('cache')).toThrow(full)
  })

  test('bounds waiters until they have their lease or give up', () => {
    const quota = new Quota({ waiters: 1 })
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
    const quota = new Quota({ targets: 2 })
    const shares = [quota.enter(place(1)), quota.enter(place(1)), quota.enter(place(2))]
    expect(() => quota.enter(place(3))).toThrow(full)
    quota.enter('configured')
    shares[0]?.end()
    expect(() => quota.enter(place(3))).toThrow(full)
    shares[1]?.end()
    quota.enter(place(3))
  })

  test('counts a share once, whatever is said of it twice', () => {
    const quota = new Quota({ leases: 1, waiters: 1, targets: 1 })
    const share = quota.enter(place(1))
    share.leased()
    share.leased()
    share.end()
    share.end()
    share.leased()
    expect(quota.stats()).toEqual({ leases: 0, waiters: 0, targets: 0 })
  })

  test('keeps nothing of what it refused', () => {
    const quota = new Quota({ waiters: 1 })
    const share = quota.enter(place(1))
    expect(() => quota.enter(place(2))).toThrow(full)
    share.end()
    expect(quota.stats()).toEqual({ leases: 0, waiters: 0, targets: 0 })
  })

  test('bounds connections by its leases, from the asking to their end', () => {
    const quota = new Quota({ connections: 2 })
    const first = quota.enter('cache')
    quota.enter(place(1)).leased()
    expect(() => quota.enter('cache')).toThrow(full)
    first.leased()
    expect(() => quota.enter(place(2))).toThrow(full)
    first.end()
    quota.enter('cache')
  })

  test('counts no connection for a caller that has left', () => {
    const quota = new Quota({ connections: 1 })
    for (let port = 1; port <= 100; port++) quota.enter(place(port)).end()
    quota.enter('cache')
    expect(() => quota.enter('cache')).toThrow(full)
  })
})
