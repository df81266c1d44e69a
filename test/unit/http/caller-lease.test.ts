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
