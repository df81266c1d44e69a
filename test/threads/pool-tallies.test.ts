/** What a pool counts for whoever scrapes it, where more than one of its parts has a hand in it. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { ForwardConfig } from '../../src/config/forward.ts'
import type { PoolOptions } from '../../src/library/create-pool.ts'
import { startServer } from '../../src/library/start-server.ts'
import { bulk, command } from '../support/front-door.ts'
import { startMultiplexPeer } from '../support/multiplex-peer.ts'
import { targetOf } from '../support/pool-fixture.ts'
import { RawConnection } from '../support/raw-connection.ts'
import { RecordedSpans } from '../support/recorded-spans.ts'
import { exportedWaiters, lostLeases, openTalliedPool, type TalliedPool } from '../support/tallied-pool.ts'
import { echo, startTestServer } from '../support/test-server.ts'
import { until } from '../support/until.ts'

const FORWARD: ForwardConfig = {
  listen: { kind: 'tcp', host: '127.0.0.1', port: 0 },
  target: 'it',
  mode: 'session',
  tls: null,
  proxyProtocol: false,
}

describe('the lease of a client of a forward', () => {
  type Leave = (client: Socket, server: Socket) => void
  const play = async (leave: Leave) => {
    const spans = RecordedSpans.start(onTestFinished)
    const server = await startTestServer(echo, { tolerant: true })
    const { pool, tally } = openTalliedPool(targetOf(server, { reuse: 'never' }))
    await pool.forwards.open([FORWARD])
    const client = connect(pool.forwards.addresses[0]?.port ?? 0, '127.0.0.1')
    client.on('error', () => {})
    onTestFinished(() => void client.destroy())
    client.write('hello')
    await once(client, 'data')
    leave(client, await server.connection())
    await until('it was counted', () => tally.leased.count === 1)
    const { isFailed, attributes } = await spans.one('sockpool.lease')
    return { lost: lostLeases(tally), isFailed, gone: attributes['sockpool.gone'] }
  }

  test.for<[string, Leave]>([
    ['its client leaves', client => client.end()],
    ['its client is cut off', client => client.resetAndDestroy()],
    ['its target ends first', (_, server) => server.end()],
  ])('is released where %s', async ([, leave]) => {
    expect(await play(leave)).toEqual({ lost: {}, isFailed: false, gone: undefined })
  })

  test('is lost where its target resets the connection', async () => {
    const outcome = await play((_, server) => server.resetAndDestroy())
    expect(outcome).toEqual({ lost: { reset: 1 }, isFailed: true, gone: 'reset' })
  })
})

describe('clients of a front door that is served message by message', () => {
  type Bound = (pool: TalliedPool['pool']) => Promise<number | undefined>
  const byProgram: Bound = async pool =>
    (await startServer(pool.messages.open('it', {}).handler, '127.0.0.1', 0, { pool })).address.port
  const byForward: Bound = async pool => {
    await pool.forwards.open([{ ...FORWARD, mode: 'message' }])
    return pool.forwards.addresses[0]?.port
  }

  /** A door to a target with one connection, and a peer that answers nobody unless it is told to. */
  const open = async (bind: Bound, pool: { waitTimeout: string | number }, options?: PoolOptions) => {
    const held: (() => void)[] = []
    const peer = await startMultiplexPeer(
      'resp',
      (_, { socket }) => void held.push(() => socket.write(bulk('a'))),
    )
    const tallied = openTalliedPool(targetOf(peer, { frame: 'resp', pool: { max: 1, ...pool } }), options)
    const port = (await bind(tallied.pool)) ?? 0
    const ask = (): RawConnection => {
      const client = RawConnection.open(port)
      onTestFinished(() => void client.socket.destroy())
      client.send(command('ECHO', 'a'))
      return client
    }
    return { ...tallied, held, ask }
  }

  test.for<[string, Bound]>([
    ['of a program', byProgram],
    ['of a forward', byForward],
  ])('%s are each a waiter while they wait', async ([, bind]) => {
    const { held, ask, ...tallied } = await open(bind, { waitTimeout: '10s' })
    const clients = [ask()]
    await until('the connection is in use', () => held.length === 1)
    for (let count = 0; count < 3; count++) clients.push(ask())
    await until('three wait', () => exportedWaiters(tallied) === 3)
    await until('all are answered', () => {
      for (const answer of held.splice(0)) answer()
      return clients.every(({ text }) => text === bulk('a'))
    })
    await until('nobody waits', () => exportedWaiters(tallied) === 0)
  })

  test('count in acquire where the time of their wait is up', async () => {
    const { held, ask, tally } = await open(byProgram, { waitTimeout: '50ms' })
    ask()
    await until('the connection is in use', () => held.length === 1)
    const late = ask()
    await until('it has heard', () => late.text.startsWith('-ERR wait_timeout'))
    expect(tally.acquired.countOf('wait_timeout')).toBe(1)
    held[0]?.()
  })

  test('count in acquire once where they may not wait', async () => {
    const { held, ask, tally } = await open(byProgram, { waitTimeout: 0 })
    ask()
    await until('the connection is in use', () => held.length === 1)
    const late = ask()
    await until('it has heard', () => late.text.startsWith('-ERR'))
    const failures = Array.from(tally.acquired, ([result, { count }]) => [result, count])
    expect(failures).toEqual([
      ['ok', 1],
      ['pool_exhausted', 1],
    ])
    held[0]?.()
  })

  test('count in acquire where too many wait', async () => {
    const { held, ask, tally } = await open(byProgram, { waitTimeout: '10s' }, { limits: { waiters: 2 } })
    ask()
    await until('the connection is in use', () => held.length === 1)
    const others = [ask(), ask(), ask()]
    await until('one was refused', () => others.some(({ text }) => text.startsWith('-ERR queue_full')))
    expect(tally.acquired.countOf('queue_full')).toBe(1)
    held[0]?.()
  })
})

describe('callers that share connections', () => {
  const ask = { write: 'a\n', timeoutMs: 10_000 }

  test('are each one waiter while the connection is dialled for them, and none when they are answered', async () => {
    const server = await startTestServer(echo, { tolerant: true })
    const onConnect = [{ expect: 'ready\n' }]
    const { pool, tallies } = openTalliedPool(
      targetOf(server, { frame: 'line', multiplex: { inFlight: 2 }, onConnect }),
    )
    const waiters = (): number | undefined => exportedWaiters({ pool, tallies })
    const calls = Promise.all([1, 2, 3].map(() => pool.exchange('it', ask)))
    calls.catch(() => {})
    const socket = await server.connection()
    expect(waiters()).toBe(3)
    socket.write('ready\n')
    expect((await calls).map(({ data }) => data.toString())).toEqual(['a\n', 'a\n', 'a\n'])
    await until('nobody waits', () => waiters() === 0)
  })

  test('count in acquire where the target is disabled, or drains', async () => {
    const server = await startTestServer(echo, { tolerant: true })
    const { pool, tally } = openTalliedPool(targetOf(server, { frame: 'line', multiplex: {} }))
    await pool.exchange('it', ask)
    await pool.disable('it')
    await expect(pool.exchange('it', ask)).rejects.toMatchObject({ code: 'TARGET_PAUSED' })
    await pool.enable('it')
    await pool.drain('it')
    await expect(pool.exchange('it', ask)).rejects.toMatchObject({ code: 'DRAINING' })
    const counts = ({ acquired, exchanged }: typeof tally): unknown =>
      [acquired, exchanged].map(of => Array.from(of, ([result, { count }]) => [result, count]))
    const each = [
      ['ok', 1],
      ['target_paused', 1],
      ['draining', 1],
    ]
    expect(counts(tally)).toEqual([each, each])
  })
})
