/** What real servers answer, as values that a lease reads: the same as a client of the protocol gives. */
import { createClient, ErrorReply } from 'redis'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Pool } from '../../src/pool/pool.ts'
import { startProgramOn } from '../support/own-program.ts'
import { openPool } from '../support/pool-fixture.ts'
import { findService, type Place } from '../support/services.ts'

type Lease = Awaited<ReturnType<Pool['lease']>>

async function leaseOf(place: Place): Promise<Lease> {
  const pool = await openPool({ targets: { it: { ...place } } })
  const lease = await pool.lease('it')
  onTestFinished(async () => void (await lease.discard()))
  return lease
}

describe('resp reads what Redis answers', () => {
  const encode = (words: readonly string[]): string =>
    `*${words.length}\r\n${words.map(word => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`

  function asker(lease: Lease, options = {}): (...words: readonly string[]) => Promise<unknown> {
    return async (...words) => {
      lease.writer.write(encode(words))
      return lease.parse('resp', options)
    }
  }

  const prefix = `sockpool:${process.pid}:${performance.now()}`
  const key = (name: string): string => `${prefix}:${name}`
  const [text, list, hash, set, zset, stream] = ['text', 'list', 'hash', 'set', 'zset', 'stream'].map(key)
  const COMMANDS = [
    ['SET', text, 'a\r\n$5 é😀'],
    ['GET', text],
    ['GET', key('none')],
    ['STRLEN', text],
    ['RPUSH', list, 'a', '', '\r\n'],
    ['LRANGE', list, '0', '-1'],
    ['LRANGE', key('none'), '0', '-1'],
    ['MGET', text, key('none')],
    ['HSET', hash, 'a', '1', 'b', '2'],
    ['HGETALL', hash],
    ['HGETALL', key('none')],
    ['SADD', set, 'x', 'y'],
    ['SMEMBERS', set],
    ['ZADD', zset, '1.5', 'a', 'inf', 'b', '-inf', 'c'],
    ['ZRANGE', zset, '0', '-1', 'WITHSCORES'],
    ['ZSCORE', zset, 'b'],
    ['XADD', stream, '1-1', 'field', 'value'],
    ['XRANGE', stream, '-', '+'],
    ['XINFO', 'STREAM', stream, 'FULL'],
    ['EVAL', "return {1, {2, {3, 'x'}, {}}, redis.status_reply('FINE'), false}", '0'],
    ['INCR', text],
    ['NOSUCH', 'a'],
    ['COMMAND', 'DOCS', 'GET'],
    ['COMMAND', 'INFO', 'GET', 'NOSUCH'],
    ['CONFIG', 'GET', 'maxmemory*'],
    ['TYPE', text],
    ['DEL', text, list, hash, set, zset, stream],
  ] as readonly (readonly string[])[]

  /** What node-redis gives for the same, command by command. */
  async function expectAsNodeRedis(
    place: Place,
    version: 2 | 3,
    commands: readonly (readonly string[])[],
  ): Promise<void> {
    const client = createClient({ socket: place, RESP: version })
    client.on('error', () => {})
    await client.connect()
    onTestFinished(() => client.destroy())
    const ask = asker(await leaseOf(place))
    if (version === 3)
      expect(await ask('HELLO', '3')).toMatchObject({ server: 'redis', proto: 3, modules: [] })
    // Each side makes everything anew, so that both are answered alike.
    const theirs: unknown[] = []
    for (const words of commands) theirs.push(await client.sendCommand([...words]).catch(asError))
    for (const [index, words] of commands.entries()) {
      const own = await ask(...words)
      expect([words, own]).toEqual([words, plain(theirs[index])])
    }
  }

  function asError(error: unknown): unknown {
    if (error instanceof ErrorReply) return error
    throw error
  }

  /** Errors as this library has them, also within lists. */
  function plain(value: unknown): unknown {
    if (value instanceof Error) return { error: value.message }
    if (typeof value === 'bigint') return value.toString()
    if (Array.isArray(value)) return value.map(plain)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, plain(part)]))
  }

  test('as node-redis does, by RESP2', async ({ skip }) => {
    await expectAsNodeRedis(await findService('redis', skip), 2, COMMANDS)
  })

  test('as node-redis does, by RESP3', async ({ skip }) => {
    await expectAsNodeRedis(await findService('redis', skip), 3, COMMANDS)
  })

  test('of every type that its protocol has', async ({ skip }) => {
    const args = (port: number): string[] => [
      ...['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--enable-debug-command', 'yes'],
    ]
    const place = await startProgramOn({ command: 'redis-server', from: 'redis-server', args }, skip)
    const types = [
      'string',
      'integer',
      'double',
      'null',
      'array',
      'set',
      'verbatim',
      'true',
      'false',
      'bignum',
    ]
    const commands = types.map(type => ['DEBUG', 'PROTOCOL', type])
    await expectAsNodeRedis(place, 3, commands)
    const lease = await leaseOf(place)
    const ask = asker(lease, { attributes: true })
    await ask('HELLO', '3')
    // Its keys are numbers, of which node-redis makes texts.
    expect(await ask('DEBUG', 'PROTOCOL', 'map')).toEqual([
      [0, false],
      [1, true],
      [2, false],
    ])
    expect(await ask('DEBUG', 'PROTOCOL', 'attrib')).toEqual({
      attributes: { 'key-popularity': ['key:123', 90] },
      value: 'Some real reply following the attribute',
    })
    expect(await asker(lease)('DEBUG', 'PROTOCOL', 'attrib')).toBe('Some real reply following the attribute')
    expect(await ask('DEBUG', 'PROTOCOL', 'push')).toEqual({ push: ['server-cpu-usage', 42] })
    expect((await lease.reader.readLine()).toString()).toBe('$40\r\n')
  })

  test('with pushes between', async ({ skip }) => {
    const place = await findService('redis', skip)
    const [lease, other] = [await leaseOf(place), await leaseOf(place)]
    const [ask, tell] = [asker(lease), asker(other)]
    await ask('HELLO', '3')
    const channel = key('channel')
    expect(await ask('SUBSCRIBE', channel)).toEqual({ push: ['subscribe', channel, 1] })
    expect(await tell('PUBLISH', channel, 'hello')).toBe(1)
    expect(await lease.parse('resp')).toEqual({ push: ['message', channel, 'hello'] })
    expect(await ask('GET', key('none'))).toBe(null)
  })
})

test('memcached reads what memcached answers', async ({ skip }) => {
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
  const args = (port: number): string[] => ['-l', '127.0.0.1', '-p', `${port}`, '-U', '0', ...user]
  const place = await startProgramOn({ command: 'memcached', from: 'memcached', args }, skip)
  const lease = await leaseOf(place)
  const large = 'x'.repeat(100_000)
  for (const [request, value] of [
    ['set a 5 0 3\r\none\r\n', { status: 'STORED' }],
    ['get a none\r\n', { values: [{ key: 'a', flags: 5, value: 'one' }] }],
    ['gets a\r\n', { values: [{ key: 'a', flags: 5, cas: expect.any(Number), value: 'one' }] }],
    ['get none\r\n', { values: [] }],
    [`set large 0 0 ${large.length}\r\n${large}\r\n`, { status: 'STORED' }],
    ['get large a\r\n', { values: [{ key: 'large', flags: 0, value: large }, expect.anything()] }],
    ['set count 0 0 2\r\n41\r\n', { status: 'STORED' }],
    ['incr count 1\r\n', { number: 42 }],
    ['incr a 1\r\n', { error: 'CLIENT_ERROR cannot increment or decrement non-numeric value' }],
    ['nosuch\r\n', { error: 'ERROR' }],
    ['delete none\r\n', { status: 'NOT_FOUND' }],
    ['version\r\n', { status: 'VERSION', text: expect.stringMatching(/^\d/) }],
    ['stats\r\n', { stats: expect.objectContaining({ pid: expect.stringMatching(/^\d+$/) }) }],
    ['mn\r\n', { status: 'MN' }],
    ['ms m 4 T0 F7 c\r\nabcd\r\n', { status: 'HD', flags: { c: expect.any(String) } }],
    ['mg m v k f s\r\n', { status: 'VA', flags: { k: 'm', f: '7', s: '4' }, value: 'abcd' }],
    ['mg none v\r\n', { status: 'EN', flags: {} }],
    ['me a\r\n', { status: 'ME', text: expect.stringMatching(/^a exp=/) }],
  ] as const) {
    lease.writer.write(request)
    expect([request, await lease.parse('memcached')]).toEqual([request, value])
  }
})
