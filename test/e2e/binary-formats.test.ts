/** Formats of bytes over HTTP: options in the query or in JSON, values as JSON. */
import { encode } from '@msgpack/msgpack'
import { describe, expect, test } from 'vitest'
import { jsonOf, problemOf } from '../support/api.ts'
import { ITEM_SET } from '../support/protobuf-set.ts'
import { useScriptedService } from '../support/scripted-service.ts'

const scripted = useScriptedService()
const parse = (format: string, body: Uint8Array) =>
  scripted.api.post(`/v1/parse/${format}`, { body: new Uint8Array(body) })
const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1')

describe('POST /v1/parse', () => {
  test('gives the values of MessagePack', async () => {
    const body = Buffer.concat([encode({ a: [1, 'ü'] }), bytesOf('\xc4\x01\xff\xcb\x7f\xf0\0\0\0\0\0\0')])
    expect(jsonOf(await parse('msgpack', body))).toEqual({
      values: [{ a: [1, 'ü'] }, { base64: '/w==' }, 'Infinity'],
    })
    expect(jsonOf(await parse('msgpack?encoding=hex', bytesOf('\xc4\x01\xff')))).toEqual({ values: ['ff'] })
    expect(problemOf(await parse('msgpack', bytesOf('\x01\xc6\x80\0\0\0')))).toMatchObject({
      status: 422,
      code: 'parse_limit',
      offset: 1,
    })
  })

  test('gives the values of Protocol Buffers by the descriptors in the query', async () => {
    const query = new URLSearchParams({
      descriptors: ITEM_SET.toString('base64url'),
      message: 'test.Item',
      framing: 'none',
    })
    const answer = await parse(
      `protobuf?${query}`,
      bytesOf('\x0a\x01a\x10\xff\xff\xff\xff\xff\xff\xff\xff\x7f'),
    )
    expect(jsonOf(answer)).toEqual({ values: [{ name: 'a', id: '9223372036854775807' }] })
    query.set('message', 'test.Nobody')
    expect(problemOf(await parse(`protobuf?${query}`, bytesOf('a')))).toMatchObject({
      status: 400,
      code: 'invalid_request',
      errors: [{ path: 'options.message' }],
    })
  })

  test('gives the bodies of messages behind their lengths', async () => {
    const body = bytesOf('\x02\0hi\x01\0!')
    expect(jsonOf(await parse('length-prefixed?bytes=2&endian=little', body))).toEqual({
      values: ['hi', '!'],
    })
    expect(problemOf(await parse('length-prefixed?bytes=9', body))).toMatchObject({
      status: 400,
      errors: [{ path: 'options.bytes' }],
    })
  })
})

describe('POST /v1/leases/{id}/parse', () => {
  test('reads the answers of Redis and memcached one by one', async () => {
    const { lease, peer } = await scripted.leased()
    await peer.send('%1\r\n$5\r\nproto\r\n:3\r\n>1\r\n+pong\r\nVALUE a 0 1\r\nx\r\nEND\r\nrest\n')
    const read = async (json: object): Promise<unknown> => jsonOf(await lease.call('parse', { json }))
    expect(await read({ format: 'resp' })).toEqual({ value: { proto: 3 }, offset: 0 })
    expect(await read({ format: 'resp', options: { encoding: 'hex' } })).toEqual({
      value: { push: ['706f6e67'] },
      offset: 19,
    })
    expect(await read({ format: 'memcached' })).toEqual({
      value: { values: [{ key: 'a', flags: 0, value: 'x' }] },
      offset: 30,
    })
    expect(await lease.callForJson('readline')).toMatchObject({ data: 'rest\n' })
  })

  test('reads bodies by a format of their own', async () => {
    const { lease, peer } = await scripted.leased()
    await peer.send('\x07{"a":1}')
    const options = { varint: true, payload: { format: 'json', options: {} } }
    const answer = await lease.call('parse', { json: { format: 'length-prefixed', options } })
    expect(jsonOf(answer)).toEqual({ value: { a: 1 }, offset: 0 })
  })
})
