/** Formats of bytes in the parse threads, where their libraries are loaded, on connections that send bit by bit. */
import { BinaryWriter } from '@bufbuild/protobuf/wire'
import { encode } from '@msgpack/msgpack'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Pool } from '../../src/pool/pool.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'
import { ITEM_SET } from '../support/protobuf-set.ts'
import { startTestServer } from '../support/test-server.ts'

const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1')
const ITEM = { descriptors: ITEM_SET.toString('base64'), message: 'test.Item' }
const item = (name: string): Buffer =>
  Buffer.from(new BinaryWriter().bytes(new BinaryWriter().tag(1, 2).string(name).finish()).finish())

/** A lease on a peer that sends the bytes in pieces of so many. */
async function leaseOn(bytes: Buffer, size: number): Promise<Awaited<ReturnType<Pool['lease']>>> {
  const server = await startTestServer(socket => {
    socket.setNoDelay(true)
    const send = (at: number): void => {
      socket.write(bytes.subarray(at, at + size))
      if (at + size < bytes.length) setImmediate(send, at + size)
    }
    send(0)
  })
  const pool = await openPool({ targets: { it: targetOf(server) } })
  const lease = await pool.lease('it')
  onTestFinished(async () => void (await lease.discard()))
  return lease
}

const LARGE = 'x'.repeat(100_000)

const CASES: readonly (readonly [
  format: string,
  options: object,
  bytes: Buffer,
  values: readonly unknown[],
])[] = [
  [
    'resp',
    { encoding: 'bytes' },
    bytesOf(`%1\r\n+a\r\n*2\r\n:1\r\n$1\r\n\xff\r\n$${LARGE.length}\r\n${LARGE}\r\n`),
    [[[new Uint8Array([0x61]), [1, new Uint8Array([0xff])]]], new Uint8Array(bytesOf(LARGE))],
  ],
  [
    'memcached',
    {},
    bytesOf(`VALUE a 0 ${LARGE.length} 18446744073709551615\r\n${LARGE}\r\nEND\r\nSTORED\r\n`),
    [{ values: [{ key: 'a', flags: 0, cas: '18446744073709551615', value: LARGE }] }, { status: 'STORED' }],
  ],
  ['length-prefixed', { varint: true, payload: 'json' }, bytesOf('\x07{"a":1}\x04null'), [{ a: 1 }, null]],
  [
    'msgpack',
    { bigint: 'bigint' },
    Buffer.concat([encode({ a: [LARGE, 1.5] }), bytesOf('\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xc0')]),
    [{ a: [LARGE, 1.5] }, 18_446_744_073_709_551_615n, null],
  ],
  ['protobuf', ITEM, Buffer.concat([item(LARGE), item('')]), [{ name: LARGE }, {}]],
]

describe.each(CASES)('%s', (format, options, bytes, values) => {
  test.each([1_000, 70_000])('reads message after message that comes in pieces of %i bytes', async size => {
    const lease = await leaseOn(Buffer.concat([bytes, bytesOf('rest')]), size)
    for (const value of values) expect(await lease.parse(format, options)).toEqual(value)
    expect((await lease.reader.readExactly(4)).toString()).toBe('rest')
  })

  test('reads a complete input', async () => {
    const pool = await openPool()
    expect(await pool.parse(format, bytes, options)).toEqual(values)
  })
})

test('what is wrong with descriptors comes back from the thread that opens them', async () => {
  const pool = await openPool()
  const parsing = pool.parse('protobuf', new Uint8Array(1), { ...ITEM, message: 'test.Nobody' })
  await expect(parsing).rejects.toMatchObject({
    code: 'INVALID_REQUEST',
    errors: [{ path: 'options.message' }],
  })
  const lease = await leaseOn(Buffer.from('a'), 1)
  const reading = lease.parse('protobuf', { ...ITEM, descriptors: 'CgE=' })
  await expect(reading).rejects.toMatchObject({
    code: 'INVALID_REQUEST',
    errors: [{ path: 'options.descriptors' }],
  })
  expect((await lease.reader.readExactly(1)).toString()).toBe('a')
})

test('a length that lies is refused at once, and nothing is removed', async () => {
  for (const [format, bytes] of [
    ['resp', '$99999999999\r\n'],
    ['memcached', 'VALUE a 0 1073741824\r\n'],
    ['length-prefixed', '\xff\xff\xff\xff'],
    ['msgpack', '\xc6\x80\x00\x00\x00'],
  ] as const) {
    const lease = await leaseOn(bytesOf(bytes), bytes.length)
    const code = expect.stringMatching(/^PARSE_(LIMIT|FAILED)$/)
    await expect(lease.parse(format)).rejects.toMatchObject({ code, offset: expect.any(Number) })
    expect((await lease.reader.readExactly(bytes.length)).toString('latin1')).toBe(bytes)
  }
})
