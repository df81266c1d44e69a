import { describe, expect, test } from 'vitest'
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
