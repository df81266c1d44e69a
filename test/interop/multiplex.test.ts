/** Many callers on one connection to real servers: Redis and memcached by order, Modbus/TCP by its transaction ids. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { ModbusTCPServer } from 'jsmodbus'
import { expect, onTestFinished, test } from 'vitest'
import { type Api, jsonOf, problemOf } from '../support/api.ts'
import { startProgramOn } from '../support/own-program.ts'
import { openPool } from '../support/pool-fixture.ts'
import { startServiceFixture } from '../support/service-fixture.ts'
import { findService, type Place } from '../support/services.ts'

const token = (name: string, more: object = {}): object => ({
  name,
  sha256: createHash('sha256').update(name).digest('hex'),
  targets: ['*'],
  ...more,
})

/** A command as an array of strings. */
function resp(...words: readonly string[]): string {
  return `*${words.length}\r\n${words.map(word => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`
}

async function startCache(place: Place): Promise<Api> {
  const { api } = await startServiceFixture({
    finally: onTestFinished,
    config: {
      auth: { tokens: [token('one', { admin: true }), token('two')] },
      targets: { cache: { ...place, frame: 'resp', multiplex: { connections: 1 } } },
    },
  })
  return api
}

const exchange = (api: Api, text: string) =>
  api.post('/v1/exchange', { json: { target: 'cache', write: { text } } })

test('Redis serves 64 callers of two tokens on one connection, each with keys of its own', async ({
  skip,
}) => {
  const api = await startCache(await findService('redis', skip))
  const tokens = [api.as('one'), api.as('two')]
  const prefix = `sockpool:${process.pid}:${performance.now()}`
  const callers = Array.from({ length: 64 }, async (_, caller) => {
    const own = tokens[caller % 2] ?? api
    const key = `${prefix}:${caller}`
    for (let round = 0; round < 10; round++) {
      const value = `${caller}/${round}`
      expect((await exchange(own, resp('SET', key, value, 'EX', '60'))).text).toBe('+OK\r\n')
      const answer = await exchange(own, resp('GET', key))
      expect(answer.text).toBe(`$${value.length}\r\n${value}\r\n`)
      expect(answer.headers.get('sockpool-reused')).toBe('true')
    }
  })
  await Promise.all(callers)
  const row = jsonOf<Record<string, unknown>>(await api.as('one').get('/v1/targets/cache'))
  expect(row).toMatchObject({
    connections: { multiplexed: 1, leased: 0 },
    multiplex: { connections: 1, inFlight: 0, queued: 0, orphans: 0, unsolicited: 0 },
    opened: 1,
  })
})

test('what would change a shared connection of Redis is refused, and nobody notices', async ({ skip }) => {
  const api = (await startCache(await findService('redis', skip))).as('one')
  let isOver = false
  const others = Array.from({ length: 8 }, async () => {
    while (!isOver) expect((await exchange(api, resp('PING'))).text).toBe('+PONG\r\n')
  })
  for (const words of [
    ['SUBSCRIBE', 'news'],
    ['BLPOP', 'list', '1'],
    ['MULTI'],
    ['SELECT', '1'],
    ['CLIENT', 'REPLY', 'OFF'],
    ['XREAD', 'BLOCK', '100', 'STREAMS', 's', '$'],
  ]) {
    const refused = await exchange(api, resp(...words))
    expect([words, refused.status, problemOf(refused).code]).toEqual([words, 403, 'command_denied'])
  }
  for (const text of [resp('PING') + resp('PING'), resp('PING').slice(0, -1), '', 'SET a "b c"\r\n']) {
    const refused = await exchange(api, text)
    expect([text, refused.status, problemOf(refused).code]).toEqual([text, 400, 'frame_mismatch'])
  }
  isOver = true
  await Promise.all(others)
  expect(jsonOf(await api.get('/v1/targets/cache'))).toMatchObject({
    opened: 1,
    multiplex: { unsolicited: 0 },
  })
})

test('memcached serves many callers on one connection', async ({ skip }) => {
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
  const args = (port: number): string[] => ['-l', '127.0.0.1', '-p', `${port}`, '-U', '0', ...user]
  const place = await startProgramOn({ command: 'memcached', from: 'memcached', args }, skip)
  const pool = await openPool({ targets: { cache: { ...place, preset: 'memcached', multiplex: {} } } })
  const ask = async (write: string): Promise<string> =>
    (await pool.exchange('cache', { write, timeoutMs: 10_000 })).data.toString()
  const callers = Array.from({ length: 32 }, async (_, caller) => {
    for (let round = 0; round < 20; round++) {
      const value = 'v'.repeat(1 + ((caller * 37 + round * 101) % 3_000))
      expect(await ask(`set k${caller} 0 0 ${value.length}\r\n${value}\r\n`)).toBe('STORED\r\n')
      expect(await ask(`get k${caller}\r\n`)).toBe(
        `VALUE k${caller} 0 ${value.length}\r\n${value}\r\nEND\r\n`,
      )
    }
  })
  await Promise.all(callers)
  for (const write of ['quit\r\n', 'set k 0 0 1 noreply\r\nx\r\n', 'mg k q\r\n'])
    await expect(ask(write)).rejects.toMatchObject({ code: 'COMMAND_DENIED' })
  expect(pool.targets()[0]).toMatchObject({ opened: 1, multiplex: { connections: 1, unsolicited: 0 } })
})

test('a Modbus/TCP server that takes one connection serves ten callers that all use one id', async () => {
  const server = createServer()
  server.maxConnections = 1
  const holding = Buffer.alloc(200)
  for (let register = 0; register < 100; register++) holding.writeUInt16BE(1_000 + register, register * 2)
  expect(new ModbusTCPServer(server, { holding }).holding).toHaveLength(200)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => new Promise<void>(resolve => server.close(() => resolve())))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const multiplex = { connections: 1, match: { offset: 0, bytes: 2 } }
  const target = { host: '127.0.0.1', port, preset: 'modbus', pool: { max: 1 }, multiplex } as const
  const pool = await openPool({ targets: { plc: target } })
  const read = async (register: number): Promise<Buffer> => {
    const write = Buffer.from([0, 1, 0, 0, 0, 6, 1, 3, 0, register, 0, 1])
    return (await pool.exchange('plc', { write, timeoutMs: 10_000 })).data
  }
  const callers = Array.from({ length: 10 }, async (_, caller) => {
    for (let round = 0; round < 20; round++) {
      const register = (caller * 10 + round) % 100
      const expected = Buffer.from([0, 1, 0, 0, 0, 5, 1, 3, 2, 0, 0])
      expected.writeUInt16BE(1_000 + register, 9)
      expect((await read(register)).toString('hex')).toBe(expected.toString('hex'))
    }
  })
  await Promise.all(callers)
  expect(pool.targets()[0]).toMatchObject({ opened: 1, multiplex: { connections: 1, inFlight: 0 } })
})
