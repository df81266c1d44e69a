import type { IncomingMessage } from 'node:http'
import { PassThrough } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { readSmallBody } from '../../../src/http/bytes/small-body.ts'

const reading = (stream: PassThrough, length: number, look: (chunk: Buffer) => void = () => {}) =>
  readSmallBody(stream as unknown as IncomingMessage, length, look)

describe('readSmallBody', () => {
  test('gives a body that came in one piece, byte by byte, and of no bytes', async () => {
    const whole = new PassThrough()
    whole.end('12345')
    expect((await reading(whole, 5)).toString()).toBe('12345')
    const split = new PassThrough()
    const body = reading(split, 5)
    for (const byte of '12345') split.write(byte)
    split.end()
    expect((await body).toString()).toBe('12345')
    const none = new PassThrough()
    none.end()
    expect(await reading(none, 0)).toHaveLength(0)
  })

  test('is refused by a look, and leaves the rest unread and no listener behind', async () => {
    const stream = new PassThrough()
    const before = stream.eventNames().length
    const refused = reading(stream, 5, () => {
      throw new Error('refused')
    })
    stream.write('1')
    await expect(refused).rejects.toThrow('refused')
    expect([stream.isPaused(), stream.eventNames().length]).toEqual([true, before])
    stream.end('2345')
    expect(String(stream.read())).toBe('2345')
  })

  test('is ABORTED where its client goes before the end, and what comes then is nobody’s', async () => {
    const stream = new PassThrough()
    const body = reading(stream, 5)
    stream.write('12')
    stream.destroy()
    await expect(body).rejects.toMatchObject({ code: 'ABORTED' })
    expect(stream.listenerCount('data')).toBe(0)
  })
})
