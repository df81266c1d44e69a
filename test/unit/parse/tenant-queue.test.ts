import { describe, expect, test } from 'vitest'
import { TenantQueue } from '../../../src/parse/tenant-queue.ts'

const anybody = (): boolean => true

/** A queue of names that begin with their tenant, or with a dash. */
function queueOf(...names: string[]) {
  const queue = new TenantQueue<string>()
  const places = new Map(names.map(name => [name, queue.add(name[0] === '-' ? undefined : name[0], name)]))
  const leave = (name: string): void => {
    const place = places.get(name)
    if (place) queue.remove(place)
  }
  const drain = (may: (tenant: string | undefined) => boolean): string[] => {
    const order: string[] = []
    for (let next = queue.next(may); next !== null; next = queue.next(may)) {
      order.push(next)
      leave(next)
    }
    return order
  }
  return { queue, leave, drain }
}

describe('TenantQueue', () => {
  test('lets tenants take turns, and keeps the order of each', () => {
    const { queue, drain } = queueOf('a1', 'a2', 'a3', 'b1', '-1', 'b2', 'a4')
    expect(queue.size).toBe(7)
    expect(drain(anybody)).toEqual(['a1', 'b1', '-1', 'a2', 'b2', 'a3', 'a4'])
    expect(queue.size).toBe(0)
  })

  test('passes over a tenant that may not, and comes back to it', () => {
    const { queue, drain } = queueOf('a1', 'a2', 'b1')
    expect(drain(tenant => tenant !== 'a')).toEqual(['b1'])
    expect([...queue]).toEqual(['a1', 'a2'])
    expect(drain(anybody)).toEqual(['a1', 'a2'])
  })

  test('forgets who leaves, once', () => {
    const { queue, leave, drain } = queueOf('a1', 'b1', 'a2')
    leave('a1')
    leave('a1')
    expect(queue.size).toBe(2)
    expect(drain(anybody)).toEqual(['a2', 'b1'])
  })
})
