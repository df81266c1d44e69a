/**
 * Unmodified clients at front doors that give them a connection only while a message is under way: Redis and memcached, by
 * their own tools and by libraries.
 */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import Memcached from 'memcached'
import { createClient } from 'redis'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type FrontDoor, openFrontDoor } from '../support/front-door.ts'
import { requireProgram, startProgramOn } from '../support/own-program.ts'
import { findService } from '../support/services.ts'
import { until } from '../support/until.ts'

type Skip = (note: string) => never
type More = Parameters<typeof openFrontDoor>[0]

/** Nobody else's. The preset selects it again when a connection comes back. */
const DATABASE = 9
const CONNECTIONS = 5
/** Requests of each round of redis-benchmark. */
const REQUESTS = Number(process.env['SOCKPOOL_TEST_BENCHMARK'] ?? 5_000)
/** Milliseconds of a program of Redis's; a machine may be slow. */
const PROGRAM_MS = 30_000 + REQUESTS * 3

const key = (name: string): string => `sockpool:${process.pid}:${name}`

type RedisDoor = FrontDoor & { readonly port: number }

async function redisDoor(skip: Skip, more: Partial<More> = {}): Promise<RedisDoor> {
  const place = await findService('redis', skip)
  const preset = { redis: { database: DATABASE } }
  const door = await openFrontDoor({ ...place, preset, pool: { max: CONNECTIONS }, ...more })
  return { ...door, port: door.server.address.port }
}

/** What a program of Redis's prints, with these lines as its input. */
async function run(name: string, args: readonly string[], skip: Skip, input = ''): Promise<string> {
  const path = await requireProgram(name, 'redis-tools', skip)
  const running = promisify(execFile)(path, args, { timeout: PROGRAM_MS, maxBuffer: 16_777_216 })
  running.child.stdin?.end(input)
  const { stdout, stderr } = await running
  return `${stdout}${stderr}`
}

const nothingHeld = ({ row, stats }: FrontDoor): Promise<void> =>
  until('nothing is held', () => row().connections.leased === 0 && stats().clients === 0)

describe('redis-cli', () => {
  test('speaks through one connection after another, and with one of its own where it must', async ({
    skip,
  }) => {
    const door = await redisDoor(skip)
    const cli = (input: string, ...args: readonly string[]): Promise<string> =>
      run('redis-cli', ['-p', String(door.port), ...args], skip, input)
    const [list, name] = [key('list'), key('name')]
    expect(await cli('', 'SET', name, 'value with spaces', 'EX', '60')).toBe('OK\n')
    expect(await cli(`GET ${name}\nECHO after\n`)).toBe('value with spaces\nafter\n')
    expect(await cli(`MULTI\nSET ${name} in EX 60\nGET ${name}\nEXEC\n`)).toBe('OK\nQUEUED\nQUEUED\nOK\nin\n')
    expect(await cli('', '-n', '10', 'GET', name)).toBe('\n')
    expect(await cli('', 'GET', name)).toBe('in\n')
    const popped = cli('', 'BLPOP', list, '20')
    await until('it blocks', () => door.stats().pins['blocking'] === 1)
    expect(await cli('', 'RPUSH', list, 'element')).toBe('1\n')
    expect(await popped).toBe(`${list}\nelement\n`)
    await cli('', 'DEL', name)
    await nothingHeld(door)
    expect(door.stats().pins).toEqual({ multi: 1, select: 1, blocking: 1 })
    expect(door.row()).toMatchObject({ closed: {} })
    expect(door.row().opened).toBeLessThanOrEqual(2)
  })

  test('hears what it has subscribed to, whoever publishes', async ({ skip }) => {
    const door = await redisDoor(skip)
    const [path, channel] = [await requireProgram('redis-cli', 'redis-tools', skip), key('news')]
    const listener = spawn(path, ['-p', String(door.port), 'SUBSCRIBE', channel], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    onTestFinished(() => void listener.kill('SIGKILL'))
    const heard: string[] = []
    createInterface(listener.stdout).on('line', line => heard.push(line))
    await until('it has subscribed', () => heard.length === 3)
    expect(await run('redis-cli', ['-p', String(door.port), 'PUBLISH', channel, 'hello'], skip)).toBe('1\n')
    await until('it has heard', () => heard.length === 6)
    expect(heard.slice(3)).toEqual(['message', channel, 'hello'])
    listener.kill('SIGTERM')
    await once(listener, 'exit')
    await nothingHeld(door)
    expect(door.stats().pins).toEqual({ subscribe: 1 })
  })
})

describe('ioredis', () => {
  const connect = (port: number, more: object = {}): Redis => {
    const own = { protocol: 2, host: '127.0.0.1', retryStrategy: () => null } as const
    const redis = new Redis({ port, ...own, ...more })
    redis.on('error', () => {})
    onTestFinished(() => redis.disconnect())
    return redis
  }

  test.for<[string, Partial<More>]>([
    ['a connection each', {}],
    ['connections that are shared', { multiplex: { connections: 2 } }],
  ])('pipelines of itself, and each call has its answer: %s', async ([, more], { skip }) => {
    const door = await redisDoor(skip, more)
    const clients = Array.from({ length: 10 }, () => connect(door.port, { enableAutoPipelining: true }))
    await Promise.all(
      clients.map(async (redis, who) => {
        const texts = Array.from({ length: 300 }, (_, index) => `${who}/${index}`)
        expect(await Promise.all(texts.map(text => redis.echo(text)))).toEqual(texts)
        const [set, got] = [await redis.set(key(`io${who}`), who, 'EX', 60), await redis.get(key(`io${who}`))]
        expect([set, got, await redis.del(key(`io${who}`))]).toEqual(['OK', String(who), 1])
      }),
    )
    expect(door.row().opened).toBeLessThanOrEqual(CONNECTIONS)
    expect(door.row().connections.leased).toBe(0)
    expect(door.stats().pins).toEqual({})
    await Promise.all(clients.map(redis => redis.quit()))
    await nothingHeld(door)
  })

  test('that speaks RESP3, as it does unless told otherwise, keeps its connection', async ({ skip }) => {
    const door = await redisDoor(skip)
    const redis = connect(door.port, { protocol: 3 })
    expect(await redis.echo('hello')).toBe('hello')
    expect(door.stats()).toEqual({ clients: 1, pinned: 1, pins: { hello: 1 } })
    await redis.quit()
    await nothingHeld(door)
  })

  test('subscribes, watches and blocks', async ({ skip }) => {
    const door = await redisDoor(skip)
    const [subscriber, redis] = [connect(door.port), connect(door.port)]
    const [channel, name] = [key('io'), key('counter')]
    const heard = once(subscriber, 'message')
    expect(await subscriber.subscribe(channel)).toBe(1)
    expect(await redis.publish(channel, 'hello')).toBe(1)
    expect(await heard).toEqual([channel, 'hello'])
    const popped = redis.blpop(key('queue'), 20)
    await until('it blocks', () => door.stats().pins['blocking'] === 1)
    const other = connect(door.port)
    await other.rpush(key('queue'), 'element')
    expect(await popped).toEqual([key('queue'), 'element'])
    await redis.watch(name)
    await other.set(name, 1, 'EX', 60)
    expect(await redis.multi().incr(name).exec()).toBeNull()
    expect(await redis.multi().incr(name).del(name).exec()).toEqual([
      [null, 2],
      [null, 1],
    ])
    expect(door.stats().pins).toEqual({ subscribe: 1, blocking: 1, watch: 1 })
    await Promise.all([subscriber, redis, other].map(client => client.quit()))
    await nothingHeld(door)
  })
})

describe('node-redis', () => {
  const connect = async (port: number, RESP: 3 | undefined): Promise<ReturnType<typeof open>> => {
    const client = open(port, RESP)
    client.on('error', () => {})
    onTestFinished(() => {
      if (client.isOpen) client.destroy()
    })
    await client.connect()
    return client
  }
  const open = (port: number, RESP: 3 | undefined) =>
    createClient({ ...(RESP && { RESP }), socket: { host: '127.0.0.1', port, reconnectStrategy: false } })

  test.for([
    [undefined, []],
    [3, ['hello']],
  ] as const)('speaks RESP %s', async ([version, pins], { skip }) => {
    const door = await redisDoor(skip)
    const client = await connect(door.port, version)
    const texts = Array.from({ length: 200 }, (_, index) => `text ${index}`)
    expect(await Promise.all(texts.map(text => client.echo(text)))).toEqual(texts)
    const name = key(`node${version}`)
    await client.hSet(name, { one: '1', two: '2' })
    expect({ ...(await client.hGetAll(name)) }).toEqual({ one: '1', two: '2' })
    expect(Object.keys(door.stats().pins)).toEqual(pins)
    const subscriber = await connect(door.port, version)
    const heard: string[] = []
    await subscriber.subscribe(key('node'), message => heard.push(message))
    await client.publish(key('node'), 'hello')
    await until('it has heard', () => heard.length === 1)
    expect(await client.multi().hGet(name, 'one').del(name).exec()).toEqual(['1', 1])
    await Promise.all([client.close(), subscriber.close()])
    await nothingHeld(door)
  })
})

describe('redis-benchmark', () => {
  test.for<[string, number, Partial<More>]>([
    ['a connection each', 1, {}],
    ['a connection each, in pipelines', 16, {}],
    ['connections that are shared', 1, { multiplex: { connections: 2 } }],
    ['connections that are shared, in pipelines', 16, { multiplex: { connections: 2 } }],
  ])(
    'has 50 clients served by 5 connections without an error: %s',
    { timeout: 4 * PROGRAM_MS },
    async ([, pipeline, more], { skip }) => {
      const door = await redisDoor(skip, more)
      let most = 0
      const watch = setInterval(() => {
        const { max: _max, min: _min, ...counts } = door.row().connections
        most = Math.max(
          most,
          Object.values(counts).reduce((sum, count) => sum + count, 0),
        )
      }, 1)
      onTestFinished(() => clearInterval(watch))
      const sizes = ['-c', '50', '-n', String(REQUESTS), '-P', String(pipeline)]
      const said = await run(
        'redis-benchmark',
        ['-p', String(door.port), ...sizes, '-t', 'set,get,incr', '--csv'],
        skip,
      )
      expect(said).not.toMatch(/error|closed/i)
      expect(said.match(/^"(SET|GET|INCR)"/gm)).toHaveLength(3)
      const { opened, closed } = door.row()
      expect({ most: most <= CONNECTIONS, opened: opened <= CONNECTIONS, closed }).toEqual({
        ...{ most: true, opened: true, closed: {} },
      })
      expect(door.stats().pins).toEqual({})
      if (process.env['SOCKPOOL_TEST_BENCHMARK']) console.log(said)
    },
  )
})

describe('memcached', () => {
  test.for<[string, Partial<More>]>([
    ['a connection each', {}],
    ['connections that are shared', { multiplex: {} }],
  ])('serves clients of its text protocol: %s', async ([, more], { skip }) => {
    const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
    const args = (port: number): string[] => ['-l', '127.0.0.1', '-p', `${port}`, '-U', '0', ...user]
    const place = await startProgramOn({ command: 'memcached', from: 'memcached', args }, skip)
    const door = await openFrontDoor({ ...place, preset: 'memcached', pool: { max: 3 }, ...more })
    const client = new Memcached(`127.0.0.1:${door.server.address.port}`, {
      poolSize: 8,
      retries: 0,
      timeout: 20_000,
    })
    onTestFinished(() => client.end())
    const value = 'v'.repeat(100_000)
    await Promise.all(
      Array.from({ length: 8 }, async (_, who) => {
        for (let round = 0; round < 5; round++) {
          const text = `${who}:${value.slice(0, (who + round) * 5_000)}`
          await called<boolean>(done => client.set(`k${who}`, text, 60, done))
          expect(await called<string>(done => client.get(`k${who}`, done))).toBe(text)
        }
      }),
    )
    const many = await called<Record<string, string>>(done => client.getMulti(['k1', 'k2', 'none'], done))
    expect(Object.keys(many).sort()).toEqual(['k1', 'k2'])
    expect(await called<number | boolean>(done => client.incr('none', 1, done))).toBe(false)
    const raw = door.client()
    raw.send(
      `${'set q 0 60 1 noreply\r\nx\r\n'.repeat(50)}get q\r\nmg q v q\r\nmg none v q\r\nmn\r\nquit\r\n`,
    )
    await raw.over()
    expect(raw.text).toBe('VALUE q 0 1\r\nx\r\nEND\r\nVA 1\r\nx\r\nMN\r\n')
    expect(door.row()).toMatchObject({ closed: {} })
    expect(door.row().opened).toBeLessThanOrEqual(3)
  })
})

/** What a call of a client with callbacks comes to. */
function called<T>(call: (done: (error: unknown, value: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, value) => (error ? reject(error) : resolve(value)))
  })
}
