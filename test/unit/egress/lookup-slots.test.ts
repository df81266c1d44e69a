import { describe, expect, test } from 'vitest'
import { SockpoolError } from '../../../src/base/errors.ts'
import { LookupSlots } from '../../../src/egress/lookup-slots.ts'

/** Lets every promise that can settle now do so. */
const settled = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

describe('LookupSlots', () => {
  test('LookupSlots gives slots up to its bounds, then in the order of asking', async () => {
    const slots = new LookupSlots({ totalMax: 2, perTenantMax: 2, waitersMax: 10 })
    const first = await slots.waitForSlot('a')
    await slots.waitForSlot('a')
    const order: string[] = []
    const third = slots.waitForSlot('a').then(() => order.push('third'))
    const fourth = slots.waitForSlot('a').then(() => order.push('fourth'))
    await settled()
    expect(order).toEqual([])
    expect(slots.stats()).toEqual({ active: 2, waiting: 2, tenants: 1 })
    first()
    await third
    await settled()
    expect(order).toEqual(['third'])
    expect(slots.stats()).toMatchObject({ active: 2, waiting: 1 })
    void fourth
  })

  test('LookupSlots holds a tenant to its share while others pass', async () => {
    const slots = new LookupSlots({ totalMax: 10, perTenantMax: 1, waitersMax: 10 })
    await slots.waitForSlot('greedy')
    const queued = slots.waitForSlot('greedy')
    const other = await slots.waitForSlot('modest')
    expect(slots.stats()).toEqual({ active: 2, waiting: 1, tenants: 2 })
    other()
    await settled()
    expect(slots.stats()).toEqual({ active: 1, waiting: 1, tenants: 1 })
    void queued
  })

  test('LookupSlots sends a tenant that was served to the end of the row', async () => {
    const slots = new LookupSlots({ totalMax: 2, perTenantMax: 2, waitersMax: 10 })
    const busy = [await slots.waitForSlot('a'), await slots.waitForSlot('a')]
    const order: string[] = []
    const asked = ['a', 'a', 'b'].map(tenant =>
      slots.waitForSlot(tenant).then(give => {
        order.push(tenant)
        return give
      }),
    )
    for (const give of busy) give()
    for (const give of await Promise.all(asked.slice(0, 1))) give()
    await Promise.all(asked)
    expect(order).toEqual(['a', 'b', 'a'])
  })

  test('LookupSlots refuses one waiter too many', async () => {
    const slots = new LookupSlots({ totalMax: 1, perTenantMax: 1, waitersMax: 1 })
    const give = await slots.waitForSlot('a')
    const waiter = slots.waitForSlot('b')
    await expect(slots.waitForSlot('c')).rejects.toMatchObject({ code: 'QUEUE_FULL', retryable: true })
    expect(slots.stats().tenants).toBe(2)
    give()
    const last = await waiter
    last()
    expect(slots.stats()).toEqual({ active: 0, waiting: 0, tenants: 0 })
  })

  test('LookupSlots forgets a waiter whose signal fires', async () => {
    const slots = new LookupSlots({ totalMax: 1, perTenantMax: 1, waitersMax: 2 })
    const give = await slots.waitForSlot('a')
    const abort = new AbortController()
    const waiter = slots.waitForSlot('b', abort.signal)
    abort.abort(new Error('gone'))
    await expect(waiter).rejects.toMatchObject({ code: 'ABORTED' })
    expect(slots.stats()).toEqual({ active: 1, waiting: 0, tenants: 1 })
    await expect(slots.waitForSlot('b', abort.signal)).rejects.toMatchObject({ code: 'ABORTED' })
    give()
    expect(slots.stats().active).toBe(0)
  })

  test('LookupSlots leaves a signal that fires after the slot was given', async () => {
    const slots = new LookupSlots({ totalMax: 1, perTenantMax: 1, waitersMax: 2 })
    const give = await slots.waitForSlot('a')
    const abort = new AbortController()
    const waiter = slots.waitForSlot('b', abort.signal)
    give()
    const giveBack = await waiter
    abort.abort()
    expect(slots.stats()).toEqual({ active: 1, waiting: 0, tenants: 1 })
    giveBack()
    expect(slots.stats()).toEqual({ active: 0, waiting: 0, tenants: 0 })
  })

  test('LookupSlots passes on the error that a deadline put into its signal', async () => {
    const slots = new LookupSlots({ totalMax: 1, perTenantMax: 1, waitersMax: 1 })
    const signal = AbortSignal.abort(new SockpoolError('CONNECT_TIMEOUT', 'too late'))
    await expect(slots.waitForSlot('a', signal)).rejects.toMatchObject({ code: 'CONNECT_TIMEOUT' })
  })
})
