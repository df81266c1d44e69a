import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import { CallTurns } from '../../../src/http/leases/call-turns.ts'

describe('CallTurns', () => {
  test('runs writes one after the other, in the order they came', async () => {
    const turns = new CallTurns('write', 'DRAIN_TIMEOUT')
    const order: string[] = []
    const write = (name: string) =>
      turns.take({}, async () => {
        order.push(`${name} begins`)
        await null
        order.push(`${name} ends`)
      })
    await Promise.all([write('a'), write('b'), write('c')])
    expect(order).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends'])
  })

  test('passes the turn on when a write fails', async () => {
    const turns = new CallTurns('write', 'DRAIN_TIMEOUT')
    const failing = turns.take({}, async () => Promise.reject(new Error('no')))
    const next = turns.take({}, async () => 'yes')
    await expect(failing).rejects.toThrow('no')
    expect(await next).toBe('yes')
  })

  test('lets only so many wait', async () => {
    const turns = new CallTurns('read', 'READ_TIMEOUT')
    const { promise, resolve } = Promise.withResolvers<void>()
    const all = [turns.take({}, () => promise)]
    expect(turns.isTaken).toBe(true)
    for (let index = 0; index < LIMITS.callTurnsMax; index++) all.push(turns.take({}, async () => {}))
    await expect(turns.take({}, async () => {})).rejects.toMatchObject({ code: 'QUEUE_FULL' })
    resolve()
    await Promise.all(all)
    expect(turns.isTaken).toBe(false)
    await turns.take({}, async () => {})
  })

  test('forgets who stops waiting', async () => {
    const turns = new CallTurns('write', 'DRAIN_TIMEOUT')
    const { promise, resolve } = Promise.withResolvers<void>()
    const first = turns.take({}, () => promise)
    const controller = new AbortController()
    const aborted = turns.take({ signal: controller.signal }, async () => 'never')
    controller.abort()
    await expect(aborted).rejects.toMatchObject({ code: 'ABORTED' })
    const early = turns.take({ signal: AbortSignal.abort() }, async () => 'never')
    await expect(early).rejects.toMatchObject({ code: 'ABORTED' })
    const late = turns.take({ timeoutMs: 1 }, async () => 'never')
    await expect(late).rejects.toMatchObject({ code: 'DRAIN_TIMEOUT' })
    const last = turns.take({}, async () => 'last')
    resolve()
    await first
    expect(await last).toBe('last')
  })
})
