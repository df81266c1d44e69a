import { describe, expect, test } from 'vitest'
import { SockpoolError } from '../../../src/base/errors.ts'
import { harness } from './fakes.ts'

describe('POST /v1/parse/{format}', () => {
  test('takes any body as bytes and answers the values as JSON', async () => {
    const { send, pool } = harness()
    for (const type of ['application/json', 'text/csv', 'odd']) {
      const reply = await send({
        method: 'POST',
        url: '/v1/parse/ndjson?strict=true&depth=3&name=x',
        payload: '{"a"',
        headers: { 'content-type': type },
      })
      expect([reply.statusCode, reply.json()]).toEqual([200, { values: [{ a: 1 }, [2], 'x'] }])
    }
    expect(pool.parses).toEqual(Array(3).fill(['ndjson', '{"a"', { strict: true, depth: 3, name: 'x' }]))
  })

  test('answers NDJSON on request', async () => {
    const { send } = harness()
    const headers = { accept: 'application/x-ndjson' }
    const reply = await send({ method: 'POST', url: '/v1/parse/json', payload: 'x', headers })
    expect(reply.headers['content-type']).toBe('application/x-ndjson')
    expect(reply.body).toBe('{"a":1}\n[2]\n"x"\n')
  })

  test('gathers the body for a format that has to see all of it', async () => {
    const { send, pool } = harness()
    pool.seesWhole = true
    const headers = { accept: 'application/x-ndjson' }
    const payload = 'x'.repeat(90_000)
    const reply = await send({ method: 'POST', url: '/v1/parse/csv?header=true', payload, headers })
    expect([reply.statusCode, reply.body]).toEqual([200, '{"a":1}\n[2]\n"x"\n'])
    expect(pool.parts.length).toBe(1)
    expect(pool.parses).toEqual([['csv', payload, { header: true }]])
    const long = Buffer.alloc(100_001)
    const refused = await send({ method: 'POST', url: '/v1/parse/csv', payload: long, headers })
    expect(refused.json()).toMatchObject({ status: 413, code: 'body_too_large' })
  })

  test('refuses a format and a coding before it reads the body', async () => {
    const { send } = harness()
    const payload = Buffer.alloc(100_001)
    const unknown = await send({ method: 'POST', url: '/v1/parse/toml', payload })
    expect([unknown.statusCode, unknown.json().code]).toEqual([404, 'format_not_found'])
    const headers = { 'content-encoding': 'compress' }
    const coded = await send({ method: 'POST', url: '/v1/parse/json', payload, headers })
    expect([coded.statusCode, coded.headers['accept-encoding']]).toEqual([415, 'gzip, deflate, br, zstd'])
  })

  test('passes on where the bytes are wrong', async () => {
    const { send, pool } = harness()
    pool.failure = new SockpoolError('PARSE_FAILED', 'no JSON', { offset: 4 })
    const url = '/v1/parse/json'
    expect((await send({ method: 'POST', url, payload: '[1,]' })).json()).toMatchObject({
      status: 422,
      code: 'parse_failed',
      offset: 4,
    })
    pool.failure = new SockpoolError('FORMAT_NOT_FOUND', 'no such format')
    expect((await send({ method: 'POST', url: '/v1/parse/toml', payload: 'x' })).statusCode).toBe(404)
  })

  test('bounds the body and the time', async () => {
    const { send } = harness()
    const big = await send({ method: 'POST', url: '/v1/parse/json', payload: Buffer.alloc(100_001) })
    expect([big.statusCode, big.json().code]).toEqual([413, 'body_too_large'])
    const long = await send({ method: 'POST', url: '/v1/parse/json?timeoutMs=9999', payload: '1' })
    expect(long.json().errors).toMatchObject([{ path: 'timeoutMs' }])
  })
})

describe('POST /v1/leases/{id}/parse', () => {
  test('reads one message and leaves the rest', async () => {
    const { send, lease } = harness()
    const held = await lease()
    held.reader.feedData(Buffer.from('{"a":1}\n{"b":2}\n'))
    const url = `/v1/leases/${held.id}/parse`
    const ask = () => send({ method: 'POST', url, payload: { format: 'ndjson', options: { x: 1 } } })
    expect((await ask()).json()).toEqual({ value: { a: 1 }, offset: 0 })
    expect((await ask()).json()).toEqual({ value: { b: 2 }, offset: 8 })
    expect(held.parsed).toEqual(['ndjson', { x: 1 }])
    expect(held.lastOperation).toBe('parse')
  })

  test('is a read: one at a time, with counts in its problems', async () => {
    const { send, lease } = harness()
    const held = await lease()
    const started = held.nextOperation()
    const line = send({ method: 'POST', url: `/v1/leases/${held.id}/readline` })
    await started
    const busy = await send({
      method: 'POST',
      url: `/v1/leases/${held.id}/parse`,
      payload: { format: 'json' },
    })
    expect(busy.json()).toMatchObject({ status: 409, code: 'read_busy', bytesDelivered: 0, bytesAccepted: 0 })
    held.reader.feedData(Buffer.from('\n'))
    await line
  })

  test.each<[object, string]>([
    [{}, 'format'],
    [{ format: 1 }, 'format'],
    [{ format: 'json', options: [] }, 'options'],
    [{ format: 'json', timeoutMs: 5_001 }, 'timeoutMs'],
    [{ format: 'json', option: {} }, 'option'],
  ])('refuses %j', async (payload, path) => {
    const { send, lease } = harness()
    const held = await lease()
    const reply = await send({ method: 'POST', url: `/v1/leases/${held.id}/parse`, payload })
    expect(reply.json()).toMatchObject({ status: 400, errors: [{ path }] })
  })
})
