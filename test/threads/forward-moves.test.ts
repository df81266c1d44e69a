/** Forwards whose I/O worker is drained or dies, and clients that come all the while. */
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { ListenAddress } from '../../src/config/address.ts'
import type { ForwardConfig, ForwardMode } from '../../src/config/forward.ts'
import type { Pool } from '../../src/pool/pool.ts'
import { Visitor } from '../support/forward-fixture.ts'
import { setTrap, TRAPPED_IO_WORKER } from '../support/io-worker-trap.ts'
import { echoLine, startLineServer } from '../support/line-server.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'
import { until } from '../support/until.ts'

const FREE: ListenAddress = { kind: 'tcp', host: '127.0.0.1', port: 0 }

type Place = { readonly host: string; readonly port: number } | { readonly path: string }

type Forwarded = { readonly pool: Pool; readonly place: Place; readonly failed: string[] }

function inUnix(): ListenAddress {
  const directory = mkdtempSync(join(tmpdir(), 'sockpool-moves-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return { kind: 'unix', path: join(directory, 'door') }
}

async function forwarded(
  listen: ListenAddress,
  { mode = 'session', ioWorkers = 1, max = 8 }: { mode?: ForwardMode; ioWorkers?: number; max?: number } = {},
): Promise<Forwarded> {
  const failed: string[] = []
  const server = await startLineServer(echoLine, { tolerant: true })
  const pool = await openPool({
    ioWorkers,
    ioWorkerFile: TRAPPED_IO_WORKER,
    targets: { it: targetOf(server, { frame: 'line', reuse: 'clean', pool: { max } }) },
    onEvent: event => {
      if (event.kind === 'forward' && event.event.kind === 'failed') failed.push(event.event.error.message)
    },
  })
  pool.forwards.serveMode('message', pool.messages.handler())
  const forward: ForwardConfig = { listen, target: 'it', mode, tls: null, proxyProtocol: false }
  await pool.forwards.open([forward])
  const [address] = pool.forwards.addresses
  const place =
    listen.kind === 'unix' ? { path: listen.path } : { host: '127.0.0.1', port: address?.port ?? 0 }
  return { pool, place, failed }
}

/** Clients that come one after another, and what became of each. */
class Loop {
  served = 0
  /** By code; `end`: without an answer and without an error. */
  readonly failures: string[] = []
  readonly #place: Place
  #isOver = false
  readonly #run: Promise<void>

  constructor(place: Place) {
    this.#place = place
    this.#run = this.#loop()
    onTestFinished(() => this.stop())
  }

  async stop(): Promise<void> {
    this.#isOver = true
    await this.#run
  }

  async #loop(): Promise<void> {
    while (!this.#isOver) {
      const failure = await this.#once()
      if (failure === null) this.served++
      else this.failures.push(failure)
    }
  }

  #once(): Promise<string | null> {
    return new Promise(resolve => {
      let outcome: string | null = 'end'
      const socket = connect(this.#place)
      socket.on('connect', () => void socket.write('x\n'))
      socket.on('data', () => {
        outcome = null
        socket.end()
      })
      socket.on('error', (error: NodeJS.ErrnoException) => {
        if (outcome !== null) outcome = error.code ?? error.message
      })
      socket.on('close', () => resolve(outcome))
    })
  }
}

/** What comes of listening there, as any program does; it listens no more then. */
function listening(place: Place): Promise<string | undefined> {
  return new Promise(resolve => {
    const other = createServer()
    other.on('error', (error: NodeJS.ErrnoException) => resolve(error.code))
    other.listen(place, () => other.close(() => resolve('it listens')))
  })
}

describe('a worker that is drained', () => {
  test.each([
    ['in session mode', () => FREE, 'session'],
    ['in message mode', () => FREE, 'message'],
    ['on a unix socket', inUnix, 'session'],
    ['on a unix socket, in message mode', inUnix, 'message'],
  ] as const)('refuses no client of a forward %s, and loses none', async (_, listen, mode) => {
    const { pool, place, failed } = await forwarded(listen(), { mode })
    const loops = [new Loop(place), new Loop(place)]
    const served = (): number => loops.reduce((sum, loop) => sum + loop.served, 0)
    const moves = 4
    for (let move = 0; move < moves; move++) {
      const before = served()
      await Promise.all([
        pool.drainWorker(0),
        until('clients are served', () => served() > before + 20, 20_000),
      ])
    }
    for (const loop of loops) await loop.stop()
    const failures = loops.flatMap(loop => loop.failures)
    expect(failures.filter(code => code !== 'ECONNRESET')).toEqual([])
    // On TCP the system resets who connects between the last look and the close; a unix socket has no such moment.
    expect(failures.length).toBeLessThanOrEqual('path' in place ? 0 : moves / 4)
    expect(failed).toEqual([])
  })

  test('serves clients that wait for a connection in it', async () => {
    const { pool, place } = await forwarded(FREE, { max: 1 })
    const [first, second] = [await Visitor.at(place), await Visitor.at(place)]
    first.write('first\n')
    await first.received('first\n')
    second.write('second\n')
    await until('it waits', () => pool.forwards.stats()[0]?.waiting === 1)
    const drained = pool.drainWorker(0)
    await expect.poll(async () => (await pool.workers()).length, { timeout: 30_000 }).toBe(2)
    const third = await Visitor.at(place)
    third.write('third\n')
    await until('it waits as well', () => pool.forwards.stats()[0]?.waiting === 2)
    first.socket.end()
    await second.received('second\n')
    second.socket.end()
    await third.received('third\n')
    third.socket.end()
    await drained
    const fourth = await Visitor.at(place)
    fourth.write('fourth\n')
    await fourth.received('fourth\n')
    expect(pool.forwards.stats()[0]?.refused).toEqual({})
  })

  test('leaves the address to its successor, and that to nobody else', async () => {
    const { pool, place } = await forwarded(FREE)
    await pool.drainWorker(0)
    expect(await listening(place)).toBe('EADDRINUSE')
    await pool.forwards.close()
    expect(await listening(place)).toBe('it listens')
  })
})

describe('a worker that dies', () => {
  test.each([
    ['a port', () => FREE],
    ['a unix socket', inUnix],
  ] as const)(
    'has another listen on %s in its place, without the wait for its successor',
    async (_, listen) => {
      const { pool, place, failed } = await forwarded(listen(), { ioWorkers: 2 })
      const loop = new Loop(place)
      await until('clients are served', () => loop.served > 5)
      const workerOf = (): number | undefined => pool.connections()[0]?.worker
      await until('it is known where', () => workerOf() !== undefined)
      const worker = workerOf() ?? -1
      await setTrap({ worker, do: 'throw' })
      const served = loop.served
      await until('clients are served again', () => loop.served > served + 20, 20_000)
      expect(new Set(pool.connections().map(({ worker: now }) => now))).toEqual(new Set([1 - worker]))
      await loop.stop()
      expect(failed).toEqual([])
    },
  )
})
