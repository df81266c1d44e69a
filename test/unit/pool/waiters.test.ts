import { array, assert, asyncProperty, constantFrom, nat, record } from 'fast-check'
import { expect, test } from 'vitest'
import { SockpoolError } from '../../../src/base/errors.ts'
import { WaiterCount } from '../../../src/pool/target/waiter-count.ts'
import { Waiters } from '../../../src/pool/target/waiters.ts'

function open(): Waiters<readonly []> {
  return new Waiters<readonly []>({
    count: new WaiterCount(1_000_000, { hold: () => {}, release: () => {} }),
    now: () => performance.now(),
    explain: (error, position) => error.add({ position }),
    onLeft: () => {},
  })
}

const outcomeOf = (wait: Promise<unknown>): Promise<unknown> => wait.catch((error: unknown) => error)

test('a waiter that leaves is told its place in the order of turns, whoever was served or has left before', async () => {
  const step = record({
    kind: constantFrom('ask', 'ask', 'ask', 'serve', 'leave'),
    // Their turns fall together again and again.
    tenant: constantFrom('a', 'b', 'c', 'd'),
    which: nat(1_000),
  })
  const weights: Readonly<Record<string, number>> = { a: 1, b: 1, c: 2, d: 4 }
  await assert(
    asyncProperty(array(step, { maxLength: 60 }), async steps => {
      const waiters = open()
      const asked = new Map<number, { readonly leaving: AbortController; readonly ended: Promise<unknown> }>()
      const leave = async (which: number): Promise<void> => {
        const order = Array.from(waiters, ({ value }) => value.arrival)
        const index = which % order.length
        const { leaving, ended } = asked.get(order[index] ?? -1) ?? {}
        leaving?.abort()
        expect(await ended).toMatchObject({ code: 'ABORTED', position: index + 1 })
      }
      for (const { kind, tenant, which } of steps) {
        if (kind === 'ask') {
          const leaving = new AbortController()
          const asking = { tenant, weight: weights[tenant] }
          const wait = waiters.add(asking, { signal: leaving.signal }, () => 'served')
          asked.set(asked.size, { leaving, ended: outcomeOf(wait) })
        } else if (waiters.size > 0) {
          if (kind === 'leave') await leave(which)
          else if (waiters.first !== null) waiters.take(waiters.first).serve()
        }
      }
      while (waiters.size > 0) await leave(waiters.size - 1)
    }),
  )
})

test('ten thousand waiters, of whom every other has the same time, are told of its end without a walk each', async () => {
  const waiters = open()
  const ended: Promise<unknown>[] = []
  for (let number = 0; number < 10_000; number++) {
    const timeoutMs = number % 2 === 0 ? 1_000 : 60_000
    const wait = waiters.add({ tenant: `${number % 3}` }, { timeoutMs }, () => 'served')
    ended.push(outcomeOf(wait))
  }
  const before = process.cpuUsage()
  await Promise.all(ended.filter((_, number) => number % 2 === 0))
  const { user, system } = process.cpuUsage(before)
  // Whoever went through all that were before it had the last one wait for more than a second.
  expect((user + system) / 1_000).toBeLessThan(500)
  expect(waiters.size).toBe(5_000)
  const over = new SockpoolError('DRAINING', 'the test is over')
  while (waiters.failFirst(over));
  await Promise.all(ended)
})
