import { describe, expect, test } from 'vitest'
import { CallerLease } from '../../../src/http/leases/caller-lease.ts'
import { FakeLease, onFault } from './fakes.ts'

describe('CallerLease', () => {
  test('tells a failure after the end of the lease to onFault, and nobody else', async () => {
    const fault = Promise.withResolvers<unknown>()
    const fake = new FakeLease('cache', {})
    const held = new CallerLease(fake, 'a', fault.resolve)
    const reasons: string[] = []
    held.whenEnded(() => {
      throw new TypeError('a bug')
    })
    held.whenEnded(reason => void reasons.push(reason))
    fake.end('expired')
    expect(await fault.promise).toEqual(new TypeError('a bug'))
    expect(reasons).toEqual(['expired'])
  })

  test('has a repeat wait for the read that it repeats, within its time, and nothing else', async () => {
    const fake = new FakeLease('cache', {})
    fake.replay = true
    const held = new CallerLease(fake, 'a', onFault)
    const { promise, resolve } = Promise.withResolvers<void>()
    const order: string[] = []
    const first = held.readFrom('read', undefined, {}, async () => {
      await promise
      order.push('first')
    })
    const repeat = held.readFrom(
      'read',
      0,
      { timeoutMs: 60_000 },
      async left => void order.push(`again ${left.allowedMs}`),
    )
    const late = held.readFrom('read', 0, { timeoutMs: 1 }, async () => {})
    await expect(late).rejects.toMatchObject({ code: 'READ_TIMEOUT' })
    const busy = { code: 'READ_BUSY' }
    await expect(held.readFrom('read', undefined, {}, async () => {})).rejects.toMatchObject(busy)
    await expect(held.read('read', async () => {})).rejects.toMatchObject(busy)
    resolve()
    await Promise.all([first, repeat])
    expect(order).toEqual(['first', 'again 60000'])
    // A stream has no end to wait for, and what keeps nothing no bytes to give again.
    const stream = Promise.withResolvers<void>()
    const reading = held.read('stream', () => stream.promise)
    await expect(held.readFrom('read', 0, {}, async () => {})).rejects.toMatchObject(busy)
    stream.resolve()
    await reading
    fake.replay = false
    const plain = Promise.withResolvers<void>()
    const one = held.readFrom('read', 0, {}, () => plain.promise)
    await expect(held.readFrom('read', 0, {}, async () => {})).rejects.toMatchObject(busy)
    plain.resolve()
    await one
  })

  test('runs one read at a time, and the next after one that failed', async () => {
    const held = new CallerLease(new FakeLease('cache', {}), 'a', onFault)
    const { promise, reject } = Promise.withResolvers<never>()
    const first = held.read('read', () => promise)
    await expect(held.read('read', async () => 'second')).rejects.toMatchObject({ code: 'READ_BUSY' })
    reject(new Error('failed'))
    await expect(first).rejects.toThrow('failed')
    expect(await held.read('read', async () => 'third')).toBe('third')
  })
})
