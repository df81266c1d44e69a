/** A service whose limit of open files is near: callers without a token cannot take it all, and what runs out is said. */
import { readdirSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, expect, onTestFinished, test } from 'vitest'
import { jsonOf } from '../support/api.ts'
import { type ServiceProcess, startServiceProcess } from '../support/service-process.ts'

const OPEN_FILES = 1_024
const SQUATTERS = 1_100

async function start(options: Parameters<typeof startServiceProcess>[0]): Promise<ServiceProcess> {
  const service = await startServiceProcess({ ...options, openFiles: OPEN_FILES })
  onTestFinished(() => service.stop())
  return service
}

/** One that asks for /livez, without a token, and keeps its connection. */
function squat(port: number): Promise<Socket> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1', () => socket.write('GET /livez HTTP/1.1\r\nHost: a\r\n\r\n'))
    const done = (): void => resolve(socket)
    socket.once('data', done).once('close', done).on('error', done)
  })
}

test('1,100 callers without a token who keep /livez open keep nobody else out', async () => {
  const service = await start({ args: ['--demo'] })
  const port = Number(new URL(service.url).port)
  const squatters: Socket[] = []
  onTestFinished(() => {
    for (const socket of squatters) socket.destroy()
  })
  for (let round = 0; round < SQUATTERS / 50; round++)
    squatters.push(...(await Promise.all(Array.from({ length: 50 }, () => squat(port)))))
  const { api } = service
  expect((await fetch(`${service.url}/livez`, { headers: { connection: 'close' } })).status).toBe(200)
  expect(jsonOf(await api.post('/v1/parse/json', { body: '[1,2]' }))).toEqual({ values: [[1, 2]] })
  const lease = await api.lease('demo')
  await lease.call('write', { body: 'through\n' })
  expect((await lease.call('readline')).text).toBe('through\n')
})

describe('a service that has run out of descriptors', () => {
  // A signal has it open files until there is no descriptor left; the next one has it close them.
  const squander = [
    "import{openSync as o,closeSync as c}from'node:fs'",
    'const f=[]',
    "process.on('SIGWINCH',()=>{if(f.length)return f.splice(0).forEach(d=>c(d));try{for(;;)f.push(o('/dev/null'))}catch{}})",
  ].join(';')

  async function starve(): Promise<{
    ask: typeof asking
    feed: () => Promise<void>
    service: ServiceProcess
  }> {
    const service = await start({
      args: ['--demo', '--io-workers', '1'],
      config: {
        targets: { 'by-name': { host: 'localhost', port: 1 }, nowhere: { host: '127.0.0.1', port: 1 } },
      },
      entry: [
        '--import',
        `data:text/javascript,${encodeURIComponent(squander)}`,
        `${import.meta.dirname}/../../src/cli.ts`,
      ],
    })
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    onTestFinished(() => agent.destroy())
    const asking = async (
      path: string,
      body?: string,
    ): Promise<{ status: number; after: string | undefined; json: unknown }> => {
      const headers = {
        authorization: `Bearer ${service.token}`,
        accept: 'application/json',
        'content-type': 'application/json',
      }
      const outgoing = request(new URL(path, service.url), {
        method: body === undefined ? 'GET' : 'POST',
        agent,
        headers,
      })
      outgoing.end(body)
      const incoming = await new Promise<import('node:http').IncomingMessage>((resolve, reject) =>
        outgoing.once('response', resolve).once('error', reject),
      )
      const json: unknown = JSON.parse(await text(incoming))
      return { status: incoming.statusCode ?? 0, after: incoming.headers['retry-after'], json }
    }
    // An I/O worker that is still being loaded needs descriptors for its files; one that has dialled is loaded.
    const nowhere = JSON.stringify({ target: 'nowhere', write: { text: 'x' }, read: 'none' })
    expect(await asking('/v1/exchange', nowhere)).toMatchObject({ json: { code: 'connect_refused' } })
    // The connection on which everything is asked is there before the last descriptor goes.
    expect((await asking('/v1/exchange', '{}')).status).toBe(400)
    const taken = (): number => readdirSync(`/proc/${service.pid}/fd`).length
    service.signal('SIGWINCH')
    await expect.poll(taken).toBeGreaterThanOrEqual(OPEN_FILES - 1)
    const feed = async (): Promise<void> => {
      service.signal('SIGWINCH')
      await expect.poll(taken).toBeLessThan(OPEN_FILES / 2)
    }
    return { ask: asking, feed, service }
  }

  test('says so to a caller whose bytes it cannot parse or send, and serves it when it can', async () => {
    const { ask, feed } = await starve()
    const described = { target: 'demo', write: { text: 'x\n' }, read: 'line' }
    for (const [path, body] of [
      // Long enough for a thread.
      ['/v1/parse/json', `[1,2]${' '.repeat(2_000)}`],
      ['/v1/leases', '{"target":"demo"}'],
      ['/v1/exchange', JSON.stringify(described)],
      ['/v1/exchange', JSON.stringify({ ...described, target: 'demo-tls' })],
      // The look-up of a name fails for want of a descriptor too.
      ['/v1/exchange', JSON.stringify({ ...described, target: 'by-name' })],
    ] as const) {
      const { status, after, json } = await ask(path, body)
      expect({ status, json }, path).toMatchObject({
        status: 503,
        json: { code: 'queue_full', retryable: true },
      })
      expect(Number(after)).toBeGreaterThanOrEqual(1)
    }
    // What needs none goes on.
    expect(await ask('/v1/parse/json', '[1,2]')).toMatchObject({ status: 200 })
    // An HTTP thread asks the main thread over a socket.
    const stats = process.env['SOCKPOOL_HTTP_THREADS']
      ? { status: 503 }
      : { status: 200, json: { leases: 0 } }
    expect(await ask('/v1/stats')).toMatchObject(stats)
    await feed()
    expect(await ask('/v1/parse/json', '[1,2]')).toMatchObject({ status: 200, json: { values: [[1, 2]] } })
    expect(await ask('/v1/exchange', JSON.stringify(described))).toMatchObject({ status: 200 })
  })

  test('ends in order all the same', async () => {
    const { service } = await starve()
    service.signal('SIGTERM')
    expect(await service.exited).toBe(0)
  })
})
