import { describe, expect, test, vi } from 'vitest'
import { CallerLease } from '../../../src/http/leases/caller-lease.ts'
import { IdempotencyKeys } from '../../../src/http/leases/idempotency-keys.ts'
import { FakeLease, onFault } from './fakes.ts'

const held = () => new CallerLease(new FakeLease('cache', {}), 'a', onFault)
const request = (signal = new AbortController().signal) => ({
  tenant: 'a',
  key: 'k',
  fingerprint: 'f',
  signal,
})

/** An acquiring that ends when it is told to, or with its signal. */
function acquiring() {
  const { promise, resolve, reject } = Promise.withResolvers<CallerLease>()
  const acquire = vi.fn((signal: AbortSignal) => {
    signal.addEventListener('abort', () => reject(new Error('given up')))
    return promise
  })
  return { acquire, resolve }
}

describe('IdempotencyKeys', () => {
  test('lets a repeat wait with the first', async () => {
    const keys = new IdempotencyKeys()
    const { acquire, resolve } = acquiring()
    const both = [keys.lease(request(), acquire), keys.lease(request(), acquire)]
    const lease = held()
    resolve(lease)
    for (const got of await Promise.all(both)) expect(got).toBe(lease)
    expect(acquire).toHaveBeenCalledTimes(1)
  })

  test('gives up only when the last who waits is gone, and then starts anew', async () => {
    const keys = new IdempotencyKeys()
    const { acquire } = acquiring()
    const [one, two] = [new AbortController(), new AbortController()]
    const first = keys.lease(request(one.signal), acquire)
    const second = keys.lease(request(two.signal), acquire)
    const signal = acquire.mock.calls[0]?.[0]
    one.abort()
    await expect(first).rejects.toMatchObject({ code: 'ABORTED' })
    expect(signal?.aborted).toBe(false)
    two.abort()
    await expect(second).rejects.toMatchObject({ code: 'ABORTED' })
    expect(signal?.aborted).toBe(true)
    const anew = held()
    expect(await keys.lease(request(), async () => anew)).toBe(anew)
  })

  test('keeps a lease whose first caller went after it was there', async () => {
    const keys = new IdempotencyKeys()
    const controller = new AbortController()
    const lease = held()
    await keys.lease(request(controller.signal), async () => lease)
    controller.abort()
    expect(await keys.lease(request(), async () => held())).toBe(lease)
  })

  test('knows a tenant’s keys from another’s', async () => {
    const keys = new IdempotencyKeys()
    const [mine, theirs] = [held(), held()]
    await keys.lease(request(), async () => mine)
    const foreign = await keys.lease({ ...request(), tenant: 'b' }, async () => theirs)
    expect(foreign).toBe(theirs)
  })
})
