/** Generated bodies over HTTP, pipelined by a few connections: each is answered, none ends or clogs the process. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LIMITS } from '../../src/base/limits.ts'
import { dialledBy } from '../support/service-fixture.ts'
import { type ServiceProcess, startServiceProcess } from '../support/service-process.ts'
import { type Fuzz, targetFuzz } from '../support/target-fuzz.ts'

const BODIES = 50_000
/** Milliseconds that each may take: many times what it takes, also where an HTTP thread relays it. */
const BODY_MS = 3
const CONNECTIONS = 4
const BATCH = 50
/** Fixed, so that a failure comes again. */
const SEED = 77_031

let service: ServiceProcess
let port: number

beforeAll(async () => {
  service = await startServiceProcess({ args: ['--log-level', 'error'] })
  port = Number(new URL(service.url).port)
})
afterAll(() => service.stop())

/** The statuses of the replies that stand whole in the text, and what is left of it. */
function takeReplies(text: string): { readonly statuses: readonly number[]; readonly rest: string } {
  const statuses: number[] = []
  for (let at = 0; ; ) {
    const end = text.indexOf('\r\n\r\n', at)
    const length = end < 0 ? undefined : /\r\ncontent-length: (\d+)/i.exec(text.slice(at, end))?.[1]
    const next = end + 4 + Number(length ?? 0)
    if (end < 0 || text.length < next) return { statuses, rest: text.slice(at) }
    statuses.push(Number(text.slice(at + 9, at + 12)))
    at = next
  }
}

/** Sends so many bodies over one connection, a batch at a time, and counts the statuses. */
async function converse(fuzz: Fuzz, count: number, counts: Map<number, number>): Promise<void> {
  const socket: Socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  let text = ''
  for (let sent = 0; sent < count; sent += BATCH) {
    const bodies = Array.from({ length: BATCH }, () => JSON.stringify({ target: fuzz.next() }))
    socket.write(bodies.map(requestOf).join(''))
    for (let left = BATCH; left > 0; ) {
      const [chunk] = (await once(socket, 'data')) as [Buffer]
      const { statuses, rest } = takeReplies(text + chunk.toString('latin1'))
      text = rest
      left -= statuses.length
      for (const status of statuses) counts.set(status, (counts.get(status) ?? 0) + 1)
    }
  }
  socket.destroy()
}

function requestOf(body: string): string {
  return [
    'POST /v1/leases HTTP/1.1',
    `Host: 127.0.0.1:${port}`,
    `Authorization: Bearer ${service.token}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ].join('\r\n')
}

describe('generated bodies over HTTP', () => {
  test('are all answered with a 4xx, and the process lives on', { timeout: BODIES * BODY_MS }, async () => {
    const counts = new Map<number, number>()
    const perConnection = LIMITS.httpRequestsPerSocketMax
    let left = BODIES / perConnection
    await Promise.all(
      Array.from({ length: CONNECTIONS }, async (_, index) => {
        const fuzz = targetFuzz(SEED + index)
        while (left-- > 0) await converse(fuzz, perConnection, counts)
      }),
    )
    expect([...counts.values()].reduce((sum, count) => sum + count, 0)).toBe(BODIES)
    expect([...counts.keys()].filter(status => status < 400 || status > 499)).toEqual([])
    expect(counts.get(400)).toBeGreaterThan(1_000)
    expect(counts.get(403)).toBeGreaterThan(1_000)
    expect((await service.api.get('/readyz')).status).toBe(200)
    expect(await dialledBy(service.api)).toBe(0)
    expect(service.stderr()).toBe('')
  })
})
