import { PassThrough, Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { SockpoolError } from '../../../src/base/errors.ts'
import { type FakeLease, type Harness, harness } from './fakes.ts'

interface Leased extends Harness {
  readonly held: FakeLease
  post(
    path: string,
    payload?: string | object | Buffer | Readable,
    headers?: object,
  ): ReturnType<Harness['send']>
}

async function leased(): Promise<Leased> {
  const app = harness()
  const held = await app.lease()
  const post: Leased['post'] = (path, payload, headers = {}) =>
    app.send({
      method: 'POST',
      url: `/v1/leases/${held.id}/${path}`,
      headers: { ...(payload instanceof Readable && { 'transfer-encoding': 'chunked' }), ...headers },
      ...(payload !== undefined && { payload }),
    })
  return { ...app, held, post }
}

const chunked = (...chunks: string[]): Readable => Readable.from(chunks.map(chunk => Buffer.from(chunk)))

describe('POST write', () => {
  test.each([
    'application/octet-stream',
    'text/plain',
    'application/json',
    'application/x-www-form-urlencoded',
    'odd',
  ])('takes a body of type %s as bytes', async type => {
    const { held, post } = await leased()
    const reply = await post('write', '{"not json', { 'content-type': type })
    expect([reply.statusCode, reply.json()]).toEqual([200, { accepted: 10, offset: 10 }])
    expect(held.writer.text).toBe('{"not json')
    expect(held.lastOperation).toBe('write')
  })

  test('streams the body, with a drain between chunks and none after the last', async () => {
    const { held, post } = await leased()
    const body = new PassThrough()
    const pending = post('write', body)
    body.write('one')
    await held.writer.called(1)
    body.write('two')
    await held.writer.called(3)
    body.end('three')
    expect((await pending).json()).toEqual({ accepted: 11, offset: 11 })
    expect(held.writer.calls).toEqual(['write', 'drain', 'write', 'drain', 'write'])
  })

  test('writes more than the body limit, because it holds none of it', async () => {
    const { post } = await leased()
    const reply = await post('write', Buffer.alloc(300_000))
    expect(reply.json()).toEqual({ accepted: 300_000, offset: 300_000 })
  })

  test('takes no further chunk while the writer has no room', async () => {
    const { held, post } = await leased()
    const { promise, resolve } = Promise.withResolvers<void>()
    held.writer.room = promise
    const body = new PassThrough()
    const pending = post('write', body)
    body.write('first')
    await held.writer.called(1)
    body.write('second')
    await held.writer.called(2)
    expect(held.writer.text).toBe('first')
    resolve()
    body.end()
    expect((await pending).json()).toEqual({ accepted: 11, offset: 11 })
  })

  test('accepts no body as no bytes', async () => {
    const { post } = await leased()
    expect((await post('write')).json()).toEqual({ accepted: 0, offset: 0 })
  })

  test('drains and ends the writing side when asked to', async () => {
    const { held, post } = await leased()
    await post('write?drain=true&eof=true', 'x')
    expect(held.writer.calls).toEqual(['write', 'drain', 'writeEof'])
  })

  test('refuses eof on TLS before it writes', async () => {
    const { held, post } = await leased()
    held.writer.halfCloses = false
    expect((await post('write?eof=true', 'x')).json()).toMatchObject({ status: 400, bytesAccepted: 0 })
    expect(held.writer.text).toBe('')
    expect((await post('write_eof')).statusCode).toBe(400)
  })

  test('says how much was accepted when it fails', async () => {
    const { held, post } = await leased()
    const body = new PassThrough()
    const pending = post('write', body)
    body.write('12345')
    await held.writer.called(1)
    held.writer.failWrite = new SockpoolError('WRITE_CLOSED', 'the writing side is closed')
    body.end('678')
    const reply = await pending
    expect(reply.json()).toMatchObject({
      status: 409,
      code: 'write_closed',
      bytesAccepted: 5,
      bytesDelivered: 0,
      retryable: false,
    })
  })

  test('counts for the call, whatever the error says of others', async () => {
    const { held, post } = await leased()
    const error = new SockpoolError('CONNECTION_RESET', 'reset', { bytesAccepted: 999 })
    held.writer.failWrite = error
    expect((await post('write', 'x')).json()).toMatchObject({ code: 'connection_reset', bytesAccepted: 0 })
    expect(error.bytesAccepted).toBe(999)
  })

  test('does not pretend to have written what a closing connection drops', async () => {
    const { held, post } = await leased()
    await post('write', 'sent')
    held.writer.closing = true
    for (const reply of [await post('write', 'lost'), await post('writelines', ['lost'])])
      expect(reply.json()).toMatchObject({ status: 409, code: 'write_closed', bytesAccepted: 0 })
    held.writer.failDrain = new SockpoolError('CONNECTION_RESET', 'Connection lost')
    expect((await post('write', 'lost')).json()).toMatchObject({ status: 409, code: 'write_closed' })
    held.writer.brokenBy = new SockpoolError('CONNECTION_RESET', 'the peer reset the connection')
    expect((await post('write', 'lost')).json()).toMatchObject({ status: 502, code: 'connection_reset' })
  })

  test('keeps the count even for a fault of its own', async () => {
    const { held, post } = await leased()
    held.writer.failWrite = new TypeError('secret payload')
    const reply = await post('write', 'x')
    expect(reply.json()).toMatchObject({ status: 500, code: 'internal', bytesAccepted: 0 })
    expect(reply.body).not.toContain('secret')
  })

  test('acknowledges a repeat after the end of writing, and of the connection', async () => {
    const { held, post } = await leased()
    await post('write?offset=0&eof=true', 'hello')
    // As the real one, which takes nothing after its end.
    held.writer.failWrite = new SockpoolError('WRITE_CLOSED', 'Cannot call writelines() after write_eof()')
    const done = { accepted: 5, offset: 5 }
    for (const query of ['offset=0&eof=true', 'offset=0', 'offset=0&eof=true&drain=true'])
      expect((await post(`write?${query}`, 'hello')).json()).toEqual(done)
    expect((await post('writelines?offset=0&eof=true', ['he', 'llo'])).json()).toEqual(done)
    held.writer.failDrain = new SockpoolError('CONNECTION_RESET', 'closed')
    expect((await post('write?offset=0&drain=true', 'hello')).json()).toEqual(done)
    expect((await post('writelines?offset=0&drain=true', ['hello'])).json()).toEqual(done)
    expect((await post('write?offset=5&drain=true&eof=true')).json()).toEqual({ accepted: 0, offset: 5 })
    held.writer.brokenBy = new SockpoolError('CONNECTION_RESET', 'broken')
    const broken = { code: 'connection_reset', bytesAccepted: 5 }
    expect((await post('write?offset=0&drain=true', 'hello')).json()).toMatchObject(broken)
    expect((await post('write?offset=2&drain=true', 'llo!')).json()).toMatchObject({
      code: 'write_closed',
      bytesAccepted: 3,
    })
  })

  test('answers a repeat as the first, whatever was written since', async () => {
    const { held, post } = await leased()
    await post('write?offset=0', 'abc')
    await post('write?offset=3', 'def')
    for (const [path, body] of [
      ['write?offset=0', 'abc'],
      ['writelines?offset=0', ['a', '', 'bc']],
    ] as const)
      expect((await post(path, body)).json()).toEqual({ accepted: 3, offset: 3 })
    expect((await post('writelines?offset=1', ['bc', 'de', 'fgh'])).json()).toEqual({
      accepted: 7,
      offset: 8,
    })
    expect((await post('writelines?offset=9', ['x'])).json()).toMatchObject({
      status: 409,
      code: 'offset_mismatch',
      offset: 8,
      bytesAccepted: 0,
    })
    expect(held.writer.text).toBe('abcdefgh')
  })

  test('sends nothing twice with an offset, and refuses a gap', async () => {
    const { held, post } = await leased()
    expect((await post('write?offset=0', 'hello')).json()).toEqual({ accepted: 5, offset: 5 })
    expect((await post('write?offset=0', 'hello')).json()).toEqual({ accepted: 5, offset: 5 })
    expect((await post('write?offset=2', chunked('ll', 'o wor', 'ld'))).json()).toEqual({
      accepted: 9,
      offset: 11,
    })
    expect(held.writer.text).toBe('hello world')
    expect((await post('write?offset=12', 'x')).json()).toMatchObject({
      status: 409,
      code: 'offset_mismatch',
      offset: 11,
      bytesAccepted: 0,
    })
  })

  test('lets two writes take turns', async () => {
    const { held, post } = await leased()
    const first = new PassThrough()
    const one = post('write', first)
    first.write('a1')
    await held.writer.called(1)
    const two = post('write', 'b')
    const late = await post('write?timeoutMs=20', 'c')
    expect(late.json()).toMatchObject({ status: 504, code: 'drain_timeout', bytesAccepted: 0 })
    first.end('a2')
    await Promise.all([one, two])
    expect(held.writer.text).toBe('a1a2b')
  })

  test('answers a failing body with an error and goes on', async () => {
    const { held, post } = await leased()
    const body = new PassThrough()
    const pending = post('write', body)
    body.write('x')
    await held.writer.called(1)
    body.destroy(new Error('gone'))
    await pending.catch(() => undefined)
    expect((await post('write', 'y')).json()).toEqual({ accepted: 1, offset: 2 })
  })

  test.each([
    ['write?drain=yes', 'drain'],
    ['write?offset=-1', 'offset'],
    ['write?timeoutMs=99999', 'timeoutMs'],
    ['write?flush=true', 'flush'],
  ])('refuses %s at its field, with nothing accepted', async (path, field) => {
    const { held, post } = await leased()
    expect((await post(path, 'x')).json()).toMatchObject({
      status: 400,
      errors: [{ path: field }],
      bytesAccepted: 0,
    })
    expect(held.writer.text).toBe('')
  })
})

describe('POST writelines', () => {
  test('takes an array, or data with an encoding', async () => {
    const { held, post } = await leased()
    expect((await post('writelines', ['a\n', 'ü\n'])).json()).toEqual({ accepted: 5, offset: 5 })
    expect((await post('writelines', { data: ['00ff'], encoding: 'hex' })).json()).toEqual({
      accepted: 2,
      offset: 7,
    })
    expect((await post('writelines?drain=true', { data: ['AP8'], encoding: 'base64' })).statusCode).toBe(200)
    const bytes = Buffer.concat([Buffer.from('a\nü\n'), Buffer.from([0, 255, 0, 255])])
    expect(Buffer.concat(held.writer.chunks)).toEqual(bytes)
    expect(held.writer.calls.at(-1)).toBe('drain')
  })

  test.each<[object, string]>([
    [[1], '0'],
    [{ data: 'x' }, 'data'],
    [{ data: ['zz'], encoding: 'hex' }, 'data.0'],
    [{ data: ['', 'a!aa'], encoding: 'base64' }, 'data.1'],
    [{ data: [], encoding: 'latin1' }, 'encoding'],
    [{ lines: [] }, 'data'],
    [['\ud800'], '0'],
    [['a\ud83d', '\ude00'], '0'],
    [['', 'a', '\ude00'], '2'],
  ])('refuses %j', async (payload, path) => {
    const { held, post } = await leased()
    const problem = (await post('writelines', payload)).json<{ errors: { path: string }[] }>()
    expect(problem).toMatchObject({ status: 400, bytesAccepted: 0 })
    expect(problem.errors[0]?.path).toBe(path)
    expect(held.writer.offset).toBe(0)
  })

  test('refuses a body beyond the limit', async () => {
    const { post } = await leased()
    expect((await post('writelines', ['x'.repeat(100_001)])).json()).toMatchObject({
      status: 413,
      code: 'body_too_large',
    })
  })
})

describe('the writer verbs', () => {
  test('count nothing for a drain that fails', async () => {
    const { held, post } = await leased()
    const error = new SockpoolError('DRAIN_TIMEOUT', 'too slow', { bytesAccepted: 999 })
    held.writer.failDrain = error
    expect((await post('drain')).json()).toMatchObject({
      status: 504,
      code: 'drain_timeout',
      bytesAccepted: 0,
    })
  })

  test('answer 204, and close 202', async () => {
    const { held, post, send } = await leased()
    const isClosing = () => send({ url: `/v1/leases/${held.id}/is_closing` })
    expect((await post('drain')).statusCode).toBe(204)
    expect((await post('write_eof')).statusCode).toBe(204)
    expect((await isClosing()).json()).toEqual({ closing: false })
    const close = await post('close')
    expect([close.statusCode, close.body]).toEqual([202, ''])
    expect((await isClosing()).json()).toEqual({ closing: true })
    expect((await post('wait_closed?timeoutMs=5')).statusCode).toBe(204)
    expect(held.writer.calls).toEqual(['drain', 'writeEof', 'waitClosed'])
  })

  test.each(['drain?timeoutMs=x', 'wait_closed?timeoutMs=5001', 'close?now=1'])('refuse %s', async path => {
    const { post } = await leased()
    expect((await post(path)).statusCode).toBe(400)
  })
})
