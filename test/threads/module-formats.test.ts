/** Formats of a program's own, in the parse threads. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { createPool } from '../../src/library/create-pool.ts'
import type { Pool } from '../../src/pool/pool.ts'
import { startTestServer } from '../support/test-server.ts'

const PAIRS = new URL('../fixtures/parse/pairs-format.ts', import.meta.url)
const NO_FORMAT = new URL('../fixtures/parse/user-module.ts', import.meta.url)

async function poolWith(targets: Parameters<typeof createPool>[0] = {}): Promise<Pool> {
  const pool = await createPool({ formats: { pairs: PAIRS, other: NO_FORMAT.href }, ...targets })
  onTestFinished(() => pool.close())
  return pool
}

describe('a format of a module', () => {
  test('has the values of complete bytes, by its own options', async () => {
    const pool = await poolWith()
    expect(await pool.parse('pairs', Buffer.from('a=1;b=2;'))).toEqual([{ a: '1' }, { b: '2' }])
    expect(await pool.parse('pairs', Buffer.from('a:1;'), { separator: ':' })).toEqual([{ a: '1' }])
    expect(await pool.parse('pairs', Buffer.alloc(0))).toEqual([])
  })

  test('reads one message of a connection, and no byte after it', async () => {
    const server = await startTestServer(socket => void socket.end('a=1;b=2;rest'))
    const pool = await poolWith({ targets: { it: { host: '127.0.0.1', port: server.port } } })
    const lease = await pool.lease('it')
    expect(await lease.parse('pairs')).toEqual({ a: '1' })
    const wrong = lease.parse('pairs', { separator: 5 })
    await expect(wrong).rejects.toMatchObject({ code: 'INVALID_REQUEST', errors: [{ path: 'options' }] })
    expect(await lease.parse('pairs')).toEqual({ b: '2' })
    expect((await lease.reader.read()).toString()).toBe('rest')
    await lease.discard()
  })

  test('fails with where its message begins, and what it threw', async () => {
    const pool = await poolWith()
    const failing = pool.parse('pairs', Buffer.from('a=1;b;'))
    await expect(failing).rejects.toMatchObject({
      code: 'PARSE_FAILED',
      offset: 4,
      reason: 'TypeError',
      message: 'b has no value',
    })
    const cut = pool.parse('pairs', Buffer.from('a=1;b'))
    await expect(cut).rejects.toMatchObject({ code: 'PARSE_FAILED', offset: 5 })
    // No value that could be posted; its thread lives on.
    const odd = pool.parse('pairs', Buffer.from('function=1;'))
    await expect(odd).rejects.toMatchObject({ code: 'PARSE_FAILED', offset: 0, reason: 'DataCloneError' })
    expect(pool.stats().parse.busy).toBe(0)
    expect(await pool.parse('pairs', Buffer.from('a=1;'))).toEqual([{ a: '1' }])
  })

  test('is told to be none where its module exports nothing of the kind', async () => {
    const pool = await poolWith()
    await expect(pool.parse('other', Buffer.from('a'))).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
      message: 'the module of the format other must export a function decode',
    })
  })

  test('is loaded from where its pool says, and from no name that a caller gives', async () => {
    const pool = await poolWith()
    for (const name of [PAIRS.href, PAIRS.pathname, '__proto__', 'constructor'])
      await expect(pool.parse(name, Buffer.from('a=1;'))).rejects.toMatchObject({ code: 'FORMAT_NOT_FOUND' })
  })

  test.each([
    ['json', PAIRS],
    ['Pairs', PAIRS],
    ['', PAIRS],
    ['pairs', 'pairs.js'],
    ['pairs', new URL('no-such-file.ts', PAIRS)],
    ['pairs', new URL('https://example.com/pairs.js')],
  ])('is refused by the name %j at %s', async (name, module) => {
    await expect(createPool({ formats: { [name]: module } })).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
      errors: [{ path: `formats.${name}` }],
    })
  })
})
