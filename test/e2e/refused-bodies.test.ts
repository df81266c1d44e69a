/**
 * What a refusal costs does not grow with what is refused: a body of millions of values is told what is wrong with it,
 * while the service answers others, and it needs no memory to speak of. The service's heap is small here, so that one
 * which builds what it refuses ends.
 */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { afterFile } from '../support/after-file.ts'
import { type HeldLease, problemOf } from '../support/api.ts'
import { cpuMsOf } from '../support/cpu-time.ts'
import { CLI, type ServiceProcess, servedBy, startServiceProcess } from '../support/service-process.ts'

const BODY_BYTES = 16_000_000
const HEAP_MIB = 200
/**
 * Milliseconds of work: the refusal of a body that was parsed, and walked, takes seconds. One that an HTTP thread relays is
 * read and written once more.
 */
const WORK_MS = servedBy()['SOCKPOOL_HTTP_THREADS'] === undefined ? 400 : 600
/** And on a slow machine as long as so many texts of that length take there, when nothing else runs beside it. */
const LOOKS_MAX = 8

let service: ServiceProcess
let lease: HeldLease

beforeAll(async () => {
  const sink = createServer(socket => socket.on('error', () => {}).resume()).listen(0, '127.0.0.1')
  await once(sink, 'listening')
  afterFile(() => void sink.close())
  const { port } = sink.address() as AddressInfo
  service = await startServiceProcess({
    entry: [`--max-old-space-size=${HEAP_MIB}`, CLI],
    config: { targets: { sink: { host: '127.0.0.1', port } } },
  })
  lease = await service.api.lease('sink', { ttlMs: 600_000 })
})
afterAll(() => service.stop())

/** So many repeats that the body has its 16 MB. */
function filled(head: string, item: string, tail: string): string {
  return head + item.repeat(Math.floor((BODY_BYTES - head.length - tail.length) / item.length)) + tail
}

/** Milliseconds of processor time that this machine takes for one text of that length. */
function lookMs(): number {
  const before = process.cpuUsage()
  JSON.parse(JSON.stringify('x'.repeat(BODY_BYTES)))
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1_000
}

const HOSTILE: readonly (readonly [string, string])[] = [
  ['empty objects', filled('[', '{},', '{}]')],
  ['empty objects under data', filled('{"data":[', '{},', '{}]}')],
  ['numbers', filled('[', '1,', '1]')],
  ['empty texts', filled('[', '"",', '""]')],
  ['levels', filled('', '[', '')],
  ['levels that end', `${'['.repeat(BODY_BYTES / 2)}${']'.repeat(BODY_BYTES / 2)}`],
  ['unknown fields', `{${Array.from({ length: 1_200_000 }, (_, n) => `"k${n}":1`).join(',')}}`],
  ['one long name', `{"${'x'.repeat(BODY_BYTES - 20)}":1}`],
]

describe('16 MB of JSON', () => {
  test.each(HOSTILE)(
    'of %s are refused on every route that reads JSON, at the cost of a look',
    {
      timeout: 30_000,
    },
    async (_title, body) => {
      const routes = [
        'exchange',
        `leases/${lease.view.id}/writelines`,
        `leases/${lease.view.id}/read`,
        'leases',
      ]
      const bound = Math.max(WORK_MS, LOOKS_MAX * lookMs())
      for (const route of routes) {
        const before = cpuMsOf(service.pid)
        const headers = { 'content-type': 'application/json' }
        const answer = await service.api.post(`/v1/${route}`, { body, headers })
        const { status, code, errors } = problemOf(answer)
        expect(`${status} ${code}`).toMatch(/^(400 invalid_request|413 body_too_large)$/)
        if (status === 400) expect(errors).not.toEqual([])
        expect(answer.bytes.length).toBeLessThan(1_000)
        expect(cpuMsOf(service.pid) - before, route).toBeLessThan(bound)
      }
      expect((await lease.look()).status).toBe(200)
    },
  )

  test('of texts go through, as one and as many', { timeout: 30_000 }, async () => {
    const write = { text: 'x'.repeat(BODY_BYTES) }
    const exchanged = await service.api.post('/v1/exchange', {
      json: { target: 'sink', write, read: 'none' },
    })
    expect(exchanged.status, exchanged.text).toBe(200)
    const sink = await service.api.lease('sink')
    const before = cpuMsOf(service.pid)
    const lines = Array.from({ length: 400_000 }, (_, n) => `${n % 10}\n`)
    const written = await sink.call('writelines?drain=true', { json: lines })
    expect(JSON.parse(written.text)).toEqual({ accepted: 800_000, offset: 800_000 })
    expect(cpuMsOf(service.pid) - before).toBeLessThan(2_000)
    const hex = await sink.call('writelines', { json: { data: Array(20_000).fill('0a'), encoding: 'hex' } })
    expect(JSON.parse(hex.text)).toEqual({ accepted: 20_000, offset: 820_000 })
  })
})
