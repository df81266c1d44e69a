/** Answers that nobody reads: what they hold in memory has a bound, and a client that reads nothing loses its connection. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { afterFile } from '../support/after-file.ts'
import { type Api, problemOf } from '../support/api.ts'
import { RawConnection } from '../support/raw-connection.ts'
import { type ServiceFixture, startServiceFixture } from '../support/service-fixture.ts'
import { until } from '../support/until.ts'

const ANSWER_BYTES = 8_388_608
/** Eight of the largest bodies. */
const BOUND = 8

let service: ServiceFixture
const api: Record<'a' | 'b', Api> = {} as Record<'a' | 'b', Api>

beforeAll(async () => {
  // Sends the whole of an answer to each line that comes.
  const answer = Buffer.alloc(ANSWER_BYTES, 'x')
  const source = createServer(socket => {
    socket.on('error', () => {}).on('data', () => void socket.write(answer))
  }).listen(0, '127.0.0.1')
  await once(source, 'listening')
  afterFile(() => void source.close())
  const { port } = source.address() as AddressInfo
  const tokens = (['a', 'b'] as const).map(name => ({
    name,
    sha256: createHash('sha256').update(name).digest('hex'),
    targets: ['*'],
    limits: { leases: 2, connections: 2 },
  }))
  service = await startServiceFixture({
    config: {
      limits: { bodyBytes: ANSWER_BYTES },
      auth: { tokens },
      targets: { source: { host: '127.0.0.1', port } },
    },
    finally: afterFile,
  })
  for (const name of ['a', 'b'] as const) api[name] = service.api.as(name)
})

const EXCHANGE = JSON.stringify({ target: 'source', write: { text: '\n' }, read: { exactly: ANSWER_BYTES } })

/** Sends an exchange and reads nothing of its answer but the first bytes. */
async function leaveUnread(token: string): Promise<{ connection: RawConnection; status: number }> {
  const connection = RawConnection.open(service.port)
  onTestFinished(() => void connection.socket.destroy())
  connection.socket.once('data', () => connection.socket.pause())
  connection.send(
    `POST /v1/exchange HTTP/1.1\r\nHost: 127.0.0.1:${service.port}\r\nAuthorization: Bearer ${token}\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${EXCHANGE.length}\r\n\r\n${EXCHANGE}`,
  )
  await connection.answers(1)
  return { connection, status: connection.statuses[0] ?? 0 }
}

describe('answers that nobody reads', () => {
  test('are bounded for one token, at no cost for another, and freed when their connections go', {
    timeout: 30_000,
  }, async () => {
    const unread: RawConnection[] = []
    const statuses: number[] = []
    for (let n = 0; n < BOUND + 4; n++) {
      const { connection, status } = await leaveUnread('a')
      if (status === 200) unread.push(connection)
      statuses.push(status)
    }
    expect(statuses).toEqual([...Array(BOUND).fill(200), ...Array(4).fill(503)])
    const json = JSON.parse(EXCHANGE) as unknown
    const refused = await api.a.post('/v1/exchange', { json })
    expect(problemOf(refused)).toMatchObject({ code: 'queue_full', bytesAccepted: 0, retryable: true })
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    // Nothing was leased for what was refused, and what holds no large answer goes on.
    expect(JSON.parse((await api.a.get('/v1/stats')).text)).toMatchObject({ leases: 0 })
    expect((await api.b.post('/v1/exchange', { json })).bytes.length).toBe(ANSWER_BYTES)

    unread[0]?.socket.resetAndDestroy()
    unread[1]?.socket.resume()
    await until('one answer has left', () => (unread[1]?.text.length ?? 0) > ANSWER_BYTES)
    for (const expected of [200, 200]) expect((await leaveUnread('a')).status).toBe(expected)
    expect((await leaveUnread('a')).status).toBe(503)
  })
})

describe('bodies that are being read', () => {
  test('count like answers, until their connection is gone', async () => {
    const open: RawConnection[] = []
    const part = Buffer.alloc(ANSWER_BYTES - 1_000_000)
    for (let n = 0; n < BOUND + 2; n++) {
      const connection = RawConnection.open(service.port)
      onTestFinished(() => void connection.socket.destroy())
      open.push(connection)
      connection.send(
        `POST /v1/exchange?target=source&read=line HTTP/1.1\r\nHost: 127.0.0.1:${service.port}\r\n` +
          `Authorization: Bearer b\r\nContent-Length: ${ANSWER_BYTES}\r\n\r\n`,
      )
      connection.send(part)
    }
    await until('one is refused', () => open.some(({ statuses }) => statuses[0] === 503), 15_000)
    const small = { target: 'source', write: { text: '\n' }, read: 'none' }
    for (const { socket } of open) socket.destroy()
    await until('the bytes are free', () => open.every(({ socket }) => socket.closed))
    // The service hears of the ends one by one.
    let status = 0
    while (status !== 200) status = (await api.b.post('/v1/exchange', { json: small })).status
  })
})
