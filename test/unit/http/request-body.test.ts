import { PassThrough } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { RequestBody } from '../../../src/http/bytes/request-body.ts'

const forever = new AbortController().signal

describe('RequestBody', () => {
  test('gives the chunks as they come, then null', async () => {
    const stream = new PassThrough()
    const body = new RequestBody(stream, forever)
    const first = body.next()
    stream.write('one')
    expect((await first)?.toString()).toBe('one')
    stream.end('two')
    expect((await body.next())?.toString()).toBe('two')
    expect(await body.next()).toBeNull()
    expect(await body.next()).toBeNull()
  })

  test('leaves no listener behind', async () => {
    const stream = new PassThrough()
    const before = stream.eventNames().length
    const body = new RequestBody(stream, forever)
    const next = body.next()
    stream.write('x')
    await next
    expect(stream.eventNames()).toHaveLength(before)
  })

  test('reads all up to the limit', async () => {
    const all = (limit: number) => {
      const stream = new PassThrough()
      stream.write('12')
      stream.end('345')
      return new RequestBody(stream, forever).readAll(limit)
    }
    expect((await all(5)).toString()).toBe('12345')
    await expect(all(4)).rejects.toMatchObject({ code: 'BODY_TOO_LARGE' })
  })

  test('gives up on a client that keeps it waiting, unless bytes bought it time', async () => {
    const pace = { waitMs: 20, bytesPerSecond: 100 }
    const idle = new RequestBody(new PassThrough(), forever, pace)
    await expect(idle.next()).rejects.toMatchObject({ code: 'REQUEST_TIMEOUT' })

    const stream = new PassThrough()
    const busy = new RequestBody(stream, forever, pace)
    stream.write(Buffer.alloc(100_000))
    await busy.next()
    // 1,000 s are bought: the wait outlives the 20 ms that an idle body has.
    const waiting = busy.next()
    await expect(new RequestBody(new PassThrough(), forever, pace).next()).rejects.toThrow()
    stream.end('x')
    expect((await waiting)?.toString()).toBe('x')
  })

  test('does not count the time in which nobody asks', async () => {
    const stream = new PassThrough()
    const body = new RequestBody(stream, forever, { waitMs: 20, bytesPerSecond: 1_000_000 })
    const clock = new RequestBody(new PassThrough(), forever, { waitMs: 40, bytesPerSecond: 1 })
    await expect(clock.next()).rejects.toThrow()
    const next = body.next()
    stream.write('late')
    expect((await next)?.toString()).toBe('late')
  })

  test('fails when the client goes, with or without a sign', async () => {
    const controller = new AbortController()
    const silent = new RequestBody(new PassThrough(), controller.signal).next()
    controller.abort()
    await expect(silent).rejects.toMatchObject({ code: 'ABORTED' })

    const stream = new PassThrough()
    const broken = new RequestBody(stream, forever)
    const next = broken.next()
    stream.destroy()
    await expect(next).rejects.toMatchObject({ code: 'ABORTED' })
    await expect(broken.next()).rejects.toMatchObject({ code: 'ABORTED' })
  })
})
