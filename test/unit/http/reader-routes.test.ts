import { describe, expect, test } from 'vitest'
import { SockpoolError } from '../../../src/base/errors.ts'
import { type FakeLease, type Harness, harness } from './fakes.ts'

const asJson = { accept: 'application/json' }

async function leased(): Promise<
  Harness & { held: FakeLease; read: (path: string, headers?: object) => ReturnType<Harness['send']> }
> {
  const app = harness()
  const held = await app.lease()
  const read = (path: string, headers: object = {}) =>
    app.send({ method: 'POST', url: `/v1/leases/${held.id}/${path}`, headers: { ...headers } })
  return { ...app, held, read }
}

describe('reading', () => {
  test('answers bytes with their offset, and EOF when there is no more', async () => {
    const { held, read } = await leased()
    held.reader.feedData(Buffer.from('one\ntwo\nthree'))
    held.reader.feedEof()
    const facts = async (path: string) => {
      const { statusCode, headers, body } = await read(path)
      return [statusCode, headers['content-type'], headers['sockpool-offset'], headers['sockpool-eof'], body]
    }
    const octets = 'application/octet-stream'
    expect(await facts('readline')).toEqual([200, octets, '0', 'false', 'one\n'])
    expect(await facts('readexactly?n=2')).toEqual([200, octets, '4', 'false', 'tw'])
    expect(await facts('readuntil?separator=%0A&separator=o')).toEqual([200, octets, '6', 'false', 'o'])
    expect(await facts('read?n=2')).toEqual([200, octets, '7', 'false', '\nt'])
    expect(await facts('read?n=0')).toEqual([200, octets, '9', 'false', ''])
    expect(await facts('read')).toEqual([200, octets, '9', 'true', 'hree'])
    expect(await facts('read?n=5')).toEqual([200, octets, '13', 'true', ''])
    expect(await facts('readline')).toEqual([200, octets, '13', 'true', ''])
  })

  test('reads binary separators', async () => {
    const { held, read } = await leased()
    held.reader.feedData(Buffer.from([1, 0xff, 2, 0, 3]))
    const first = await read('readuntil?separator=ff&separatorEncoding=hex')
    expect(first.rawPayload).toEqual(Buffer.from([1, 0xff]))
    const second = await read('readuntil?separator=AA==&separatorEncoding=base64')
    expect(second.rawPayload).toEqual(Buffer.from([2, 0]))
  })

  test('answers JSON on request, base64 where the bytes are not UTF-8', async () => {
    const { held, read } = await leased()
    held.reader.feedData(Buffer.from('grüße\n\xff\n', 'utf8'))
    held.reader.feedData(Buffer.from([0xff, 0x0a, 0xfe, 0x0a]))
    expect((await read('readline', asJson)).json()).toEqual({
      data: 'grüße\n',
      encoding: 'utf8',
      offset: 0,
      eof: false,
    })
    await read('readline')
    expect((await read('readline?encoding=utf8', asJson)).json()).toMatchObject({
      data: '/wo=',
      encoding: 'base64',
    })
    expect((await read('readline?encoding=hex', asJson)).json()).toMatchObject({
      data: 'fe0a',
      encoding: 'hex',
    })
  })

  test.each([
    ['application/json, text/plain, */*', 'application/json'],
    ['application/octet-stream, application/json;q=0.9', 'application/octet-stream'],
    ['application/json;q=0, */*', 'application/octet-stream'],
    ['application/*', 'application/octet-stream'],
    ['text/html', 'application/octet-stream'],
  ])('understands Accept: %s', async (accept, type) => {
    const { held, read } = await leased()
    held.reader.feedData(Buffer.from('x\n'))
    expect((await read('readline', { accept })).headers['content-type']).toContain(type)
  })

  test.each([
    ['read?n=x', 'n'],
    ['read?n=', 'n'],
    ['read?n=-2', 'n'],
    ['read?n=1.5', 'n'],
    ['read?n=1&n=2', 'n'],
    ['readexactly', 'n'],
    ['readexactly?n=-1', 'n'],
    ['readexactly?n=100001', 'n'],
    ['readline?timeoutMs=5001', 'timeoutMs'],
    ['readline?timeoutMs=0', 'timeoutMs'],
    ['readline?limit=0', 'limit'],
    ['readline?encoding=latin1', 'encoding'],
    ['readline?tiemoutMs=5', 'tiemoutMs'],
    ['readline?n=5', 'n'],
    ['readuntil?separator=f&separatorEncoding=hex', 'separator'],
    ['readuntil?separator=%ff', 'query'],
    ['readline?offset=-1', 'offset'],
  ])('refuses %s at its field, having read nothing', async (path, field) => {
    const { held, read } = await leased()
    held.reader.feedData(Buffer.from('x\n'))
    const problem = (await read(path)).json()
    expect(problem).toMatchObject({ status: 400, code: 'invalid_request', errors: [{ path: field }] })
    expect(problem).toMatchObject({ bytesDelivered: 0, bytesAccepted: 0, retryable: false })
    expect(held.reader.offset).toBe(0)
  })

  test.each([
    'readuntil?separator=',
    `readuntil?separator=${'x'.repeat(65)}`,
    `readuntil?${'separator=x&'.repeat(17)}`,
  ])('refuses the separators of %.30s', async path => {
    const { read } = await leased()
    expect((await read(path)).json()).toMatchObject({ status: 400, code: 'invalid_separator' })
  })

  test('times out with all bytes kept', async () => {
    const { held, read } = await leased()
    held.reader.feedData(Buffer.from('no newline'))
    expect((await read('readline?timeoutMs=10')).json()).toMatchObject({
      status: 504,
      code: 'read_timeout',
      bytesDelivered: 0,
      bytesAccepted: 0,
      retryable: true,
    })
    expect(held.reader.buffered).toBe(10)
  })

  test('answers an incomplete read with the partial bytes', async () => {
    const { held, read } = await leased()
    held.reader.feedData(Buffer.from('abc'))
    held.reader.feedEof()
    expect((await read('readexactly?n=9')).json()).toMatchObject({
      status: 502,
      code: 'incomplete_read',
      partial: 'YWJj',
      expected: 9,
      bytesDelivered: 3,
      retryable: false,
    })
  })

  test('bounds a read to the end and keeps the bytes', async () => {
    const { held, read } = await leased()
    held.reader.feedData(Buffer.alloc(100_001))
    const problem = (await read('read')).json()
    expect(problem).toMatchObject({
      status: 413,
      code: 'limit_overrun',
      consumed: 100_000,
      bytesDelivered: 0,
    })
    expect(held.reader.buffered).toBe(100_001)
    expect((await read('read?n=999999999')).rawPayload).toHaveLength(100_000)
  })

  test('reports an overrun of the limit of the call', async () => {
    const { held, read } = await leased()
    held.reader.feedData(Buffer.from('abcdef;'))
    expect((await read('readuntil?separator=;&limit=3')).json()).toMatchObject({
      status: 413,
      code: 'limit_overrun',
      consumed: 6,
    })
    expect((await read('readuntil?separator=;&limit=6')).body).toBe('abcdef;')
  })

  test('serves one read at a time', async () => {
    const { held, read } = await leased()
    const started = held.nextOperation()
    const first = read('readline')
    await started
    expect((await read('read?n=1')).json()).toMatchObject({ status: 409, code: 'read_busy' })
    held.reader.feedData(Buffer.from('late\n'))
    expect((await first).body).toBe('late\n')
    held.reader.feedData(Buffer.from('x'))
    expect((await read('read?n=1')).body).toBe('x')
  })

  test('starts at the named offset or not at all', async () => {
    const { held, read } = await leased()
    held.reader.feedData(Buffer.from('a\nb\n'))
    expect((await read('readline?offset=0')).body).toBe('a\n')
    expect((await read('readline?offset=0')).json()).toMatchObject({
      status: 410,
      code: 'offset_gone',
      offset: 2,
    })
    expect((await read('readline?offset=3')).json()).toMatchObject({ status: 409, code: 'offset_mismatch' })
    expect((await read('readline?offset=2')).body).toBe('b\n')
  })

  test('ends when the client is gone, and keeps the bytes', async () => {
    const { app, held } = await leased()
    const controller = new AbortController()
    const started = held.nextOperation()
    const pending = app.inject({
      method: 'POST',
      url: `/v1/leases/${held.id}/readline`,
      headers: { host: '127.0.0.1:7070', authorization: 'Bearer ops-token' },
      signal: controller.signal,
    })
    const operation = await started
    expect(held.reader.isWaiting).toBe(true)
    controller.abort()
    await expect(pending).rejects.toThrow()
    await operation.ended
    expect(held.reader.isWaiting).toBe(false)
    held.reader.feedData(Buffer.from('kept\n'))
    expect(held.reader.buffered).toBe(5)
  })

  test('reports a reset with its counts', async () => {
    const { held, read } = await leased()
    held.reader.setException(new SockpoolError('CONNECTION_RESET', 'reset by the peer'))
    expect((await read('read?n=1')).json()).toMatchObject({
      status: 502,
      code: 'connection_reset',
      bytesDelivered: 0,
      bytesAccepted: 0,
      retryable: false,
    })
  })

  test('accepts the empty bodies that clients label, and no other body', async () => {
    const { held, send } = await leased()
    held.reader.feedData(Buffer.from('a\nb\nc\n'))
    const url = `/v1/leases/${held.id}/readline`
    for (const type of ['application/json', 'application/x-www-form-urlencoded', 'text/plain'])
      expect((await send({ method: 'POST', url, headers: { 'content-type': type } })).statusCode).toBe(200)
    const full = await send({ method: 'POST', url, payload: 'x', headers: { 'content-type': 'text/plain' } })
    expect(full.statusCode).toBe(415)
  })
})
