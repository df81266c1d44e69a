/** Formats of text in the parse threads: of real peers that send in pieces, and of complete bytes. */
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Lease } from '../../src/pool/lease/lease.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'
import { startTestServer } from '../support/test-server.ts'

async function sendAll(socket: Socket, pieces: readonly string[]): Promise<void> {
  socket.setNoDelay(true)
  for (const piece of pieces) await new Promise(sent => socket.write(piece, sent))
  socket.end()
}

/** A lease whose peer sends the pieces, each in a write of its own, and ends. */
async function leaseOf(...pieces: readonly string[]): Promise<Lease> {
  const server = await startTestServer(socket => void sendAll(socket, pieces))
  const pool = await openPool({ targets: { it: targetOf(server) } })
  return pool.lease('it')
}

async function all(messages: AsyncIterable<unknown>): Promise<unknown[]> {
  const values: unknown[] = []
  for await (const value of messages) values.push(value)
  return values
}

describe('csv on a connection', () => {
  test('reads one record, and no byte behind it', async () => {
    const lease = await leaseOf('id,"a', ' ""b""\r', '\nc"\r\nre', 'st')
    expect(await lease.parse('csv')).toEqual(['id', 'a "b"\r\nc'])
    expect((await lease.reader.read()).toString()).toBe('rest')
    await lease.discard()
  })

  test('reads records by named columns to the end of the stream, the last without a line end', async () => {
    const lease = await leaseOf('\ufeff#x\n', '1;"', 'a;b', '"\r', '\n2;', 'c')
    const options = { columns: ['id', 'name'], delimiter: ';', comment: '#' }
    expect(await all(lease.messages('csv', options))).toEqual([
      { id: '1', name: 'a;b' },
      { id: '2', name: 'c' },
    ])
    await lease.discard()
  })

  test('refuses a header, and leaves bytes that are no record', async () => {
    const lease = await leaseOf('a"b\n')
    const headed = lease.parse('csv', { header: true })
    await expect(headed).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
      errors: [{ path: 'options.header' }],
    })
    await expect(lease.parse('csv')).rejects.toMatchObject({ code: 'PARSE_FAILED', offset: 1 })
    expect((await lease.reader.readLine()).toString()).toBe('a"b\n')
    await lease.discard()
  })

  test('tells of a record that the end of the stream has cut off', async () => {
    const lease = await leaseOf('"a')
    await expect(lease.parse('csv')).rejects.toMatchObject({ code: 'INCOMPLETE_READ' })
    await lease.discard()
  })
})

test('xml on a connection reads one document, and no byte behind it', async () => {
  const lease = await leaseOf('<?xml version="1.0"?>\n<a b="', '>"><c/>', '</', 'a>\n<d/>re', 'st')
  expect(await lease.parse('xml')).toEqual({ a: { '@b': '>', c: '' } })
  expect(await lease.parse('xml')).toEqual({ d: '' })
  expect((await lease.reader.read()).toString()).toBe('rest')
  await lease.discard()
})

test('smtp on a connection reads one reply', async () => {
  const lease = await leaseOf('250-2.1.0 a\r\n25', '0 2.1.0 b\r', '\n354 go\r\n')
  expect(await lease.parse('smtp')).toMatchObject({ code: 250, enhanced: '2.1.0', text: '2.1.0 a\n2.1.0 b' })
  expect(await lease.parse('smtp')).toMatchObject({ code: 354, text: 'go' })
  await lease.discard()
})

describe('http1 on a connection', () => {
  test('reads the responses of a server, one after another', async () => {
    const server = createServer((request, response) => {
      response.setHeader('Set-Cookie', ['a=1', 'b=2'])
      response.writeEarlyHints({ link: '</a>' })
      response.write(`hello ${request.url}`)
      response.addTrailers({ Sum: '7' })
      response.end(Buffer.from([0xc3, 0xa9]))
    })
    onTestFinished(() => void server.close())
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const pool = await openPool({ targets: { it: { host: '127.0.0.1', port } } })
    const lease = await pool.lease('it')
    lease.writer.write('GET /1 HTTP/1.1\r\nHost: it\r\n\r\nHEAD /2 HTTP/1.1\r\nHost: it\r\n\r\n')
    expect(await lease.parse('http1')).toMatchObject({
      status: 200,
      reason: 'OK',
      headers: { 'set-cookie': ['a=1', 'b=2'], 'transfer-encoding': ['chunked'] },
      trailers: { sum: ['7'] },
      interim: [{ status: 103, headers: { link: ['</a>'] } }],
      body: 'hello /1é',
    })
    const head = await lease.parse('http1', { method: 'HEAD' })
    expect(head).toMatchObject({ status: 200, body: '' })
    await lease.discard()
  })

  test('reads a body that ends with the stream, as bytes', async () => {
    const lease = await leaseOf('HTTP/1.0 200 OK\r\n\r\n', 'bo', 'dy')
    const value = await lease.parse('http1', { encoding: 'bytes' })
    expect(value).toMatchObject({ body: new Uint8Array(Buffer.from('body')) })
    await lease.discard()
  })

  test('leaves bytes that two readers could take differently', async () => {
    const twice = 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n'
    const lease = await leaseOf(twice)
    await expect(lease.parse('http1')).rejects.toMatchObject({ code: 'PARSE_FAILED' })
    expect((await lease.reader.read()).toString()).toBe(twice)
    await lease.discard()
  })
})

describe('complete bytes of the largest size', () => {
  const size = 16_777_216
  const filled = (piece: string) => Buffer.from(piece.repeat(Math.floor(size / piece.length)))

  test.each([
    ['csv', `${'ab,'.repeat(16)}z\n`, { header: false }],
    ['xml', '<a b="c"><d>text of a few words</d><e>more of it</e></a>\n', {}],
  ])(
    'are values of %s within the heap of a parse thread',
    { timeout: 120_000 },
    async (format, piece, options) => {
      const pool = await openPool({})
      const values = await pool.parse(format, filled(piece), options, { timeoutMs: 110_000 })
      expect(values).toHaveLength(Math.floor(size / piece.length))
    },
  )

  test.each([
    ['csv', ',', ''],
    ['csv', '\n', ''],
    ['xml', '<a>', ''],
    ['smtp', '250-\r\n', '250 \r\n'],
  ])('of %s that would be too many of %j are refused', { timeout: 60_000 }, async (format, piece, end) => {
    const pool = await openPool({})
    const flood = Buffer.concat([filled(piece).subarray(0, -2 * end.length || undefined), Buffer.from(end)])
    const parsing = pool.parse(format, flood, {}, { timeoutMs: 55_000 })
    await expect(parsing).rejects.toMatchObject({ code: 'PARSE_LIMIT', offset: expect.any(Number) })
  })
})
