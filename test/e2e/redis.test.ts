/** A real Redis behind the pool: many callers, few connections, and every answer the right one. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { jsonOf } from '../support/api.ts'
import { startServiceProcess } from '../support/service-process.ts'
import { findService, type Place } from '../support/services.ts'

const LEASES = 200
const CONNECTIONS_MAX = 8
const REUSED_MIN = 190

/** Redis's own list of who is connected, asked over a connection of the test's own. */
class Observer {
  readonly #socket: Socket
  #received = Buffer.alloc(0)

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk])
      socket.emit('reply')
    })
  }

  static async connect({ host, port }: Place): Promise<Observer> {
    const socket = connect({ host, port })
    onTestFinished(() => void socket.destroy())
    await once(socket, 'connect')
    return new Observer(socket)
  }

  /** The ports that clients are connected from. */
  async ports(): Promise<readonly number[]> {
    this.#socket.write('CLIENT LIST\r\n')
    const list = await this.#bulk()
    return [...list.matchAll(/ addr=\S*:(\d+) /g)].map(([, port]) => Number(port))
  }

  async #bulk(): Promise<string> {
    for (;;) {
      const header = /^\$(\d+)\r\n/.exec(this.#received.toString('latin1'))
      if (header) {
        const end = header[0].length + Number(header[1])
        if (this.#received.length >= end + 2) {
          const text = this.#received.toString('latin1', header[0].length, end)
          this.#received = this.#received.subarray(end + 2)
          return text
        }
      }
      await once(this.#socket, 'reply')
    }
  }
}

describe('Redis with pool.max 8 and reuse: clean', () => {
  test('answers 200 concurrent leases over at most 8 connections, at least 190 of them reused', async ({
    skip,
  }) => {
    const place = await findService('redis', skip)
    const observer = await Observer.connect(place)
    const pool = { max: CONNECTIONS_MAX, waitTimeout: '60s' }
    const service = await startServiceProcess({
      config: { ioWorkers: 2, targets: { cache: { ...place, pool, reuse: 'clean' } } },
    })
    onTestFinished(() => service.stop())
    const { api } = service

    const one = async () => {
      const lease = await api.lease('cache', { waitMs: 60_000 })
      await lease.call('write', { body: 'PING\r\n' })
      const { text } = await lease.call('readline')
      const verdict = jsonOf(await lease.release())
      return { text, verdict, reused: lease.view.reused, port: lease.view.connection.localPort }
    }
    let isRunning = true
    const running = Promise.all(Array.from({ length: LEASES }, one)).finally(() => {
      isRunning = false
    })
    const seen: (readonly number[])[] = []
    while (isRunning) seen.push(await observer.ports())
    const rounds = await running
    seen.push(await observer.ports())

    const rightAnswers = rounds.filter(({ text }) => text === '+PONG\r\n')
    expect(rightAnswers).toHaveLength(LEASES)
    for (const { verdict } of rounds) expect(verdict).toEqual({ outcome: 'reused', reason: 'clean' })
    expect(rounds.filter(({ reused }) => reused).length).toBeGreaterThanOrEqual(REUSED_MIN)

    const own = new Set(rounds.map(({ port }) => port))
    const ownSeen = seen.map(ports => ports.filter(port => own.has(port)).length)
    expect(Math.max(...ownSeen)).toBeGreaterThanOrEqual(1)
    expect(Math.max(...ownSeen)).toBeLessThanOrEqual(CONNECTIONS_MAX)
    // What was dialled and never leased would have escaped that count.
    const { workers } = jsonOf<{ workers: { dialled: number }[] }>(await api.get('/v1/workers'))
    const dialled = workers.reduce((sum, worker) => sum + worker.dialled, 0)
    expect(dialled).toBeLessThanOrEqual(CONNECTIONS_MAX)
    expect(own.size).toBeLessThanOrEqual(dialled)

    await service.stop()
    let left = await observer.ports()
    // Redis reads the ends of its connections in its own time.
    while (left.some(port => own.has(port))) left = await observer.ports()
  })

  test('hands each caller its own reply, whatever the others ask', async ({ skip }) => {
    const place = await findService('redis', skip)
    const pool = { max: 4, waitTimeout: '60s' }
    const service = await startServiceProcess({
      config: { targets: { cache: { ...place, pool, reuse: 'clean' } } },
    })
    onTestFinished(() => service.stop())
    const replies = await Promise.all(
      Array.from({ length: 100 }, async (_, index) => {
        const sent = `${index}-${'x'.repeat(index * 37)}\r\n`
        const lease = await service.api.lease('cache')
        await lease.call('write', { body: `ECHO ${sent}` })
        const header = await lease.call('readline')
        expect(header.text).toBe(`$${sent.length - 2}\r\n`)
        const body = await lease.call(`readexactly?n=${Number(header.text.slice(1)) + 2}`)
        await lease.release()
        return { sent, got: body.text }
      }),
    )
    for (const { sent, got } of replies) expect(got).toBe(sent)
  })

  test('runs its dialogs: a wrong one fails the lease with its step', async ({ skip }) => {
    const place = await findService('redis', skip)
    const ping = [{ send: 'PING\r\n' }, { expect: '+PONG\r\n' }]
    const service = await startServiceProcess({
      config: {
        targets: {
          good: { ...place, onConnect: ping, onRelease: ping },
          bad: { ...place, onConnect: [{ send: 'NOSUCH\r\n' }, { expect: '+OK\r\n' }] },
        },
      },
    })
    onTestFinished(() => service.stop())
    const { api } = service
    const good = await api.lease('good')
    await good.call('write', { body: 'ECHO hi\r\n' })
    expect((await good.call('readuntil?separator=hi%0d%0a')).text).toBe('$2\r\nhi\r\n')
    expect(jsonOf(await good.release())).toEqual({ outcome: 'reused', reason: 'clean' })
    const bad = await api.post('/v1/leases', { json: { target: 'bad' } })
    expect(jsonOf(bad)).toMatchObject({ status: 502, code: 'dialog_failed', step: 2 })
  })
})
