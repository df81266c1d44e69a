/**
 * Every operation under requests as nobody should send them: none is answered with a fault of the service, each answer is as
 * the document describes it, and the service goes on as it was. SOCKPOOL_TEST_REQUESTS=50000 sends so many;
 * SOCKPOOL_TEST_SEED repeats a run.
 */
import { setTimeout } from 'node:timers/promises'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { jsonOf, type LeaseView } from '../support/api.ts'
import { apiDocument } from '../support/api-document.ts'
import { type DescribedAnswers, describedAnswers } from '../support/described-answers.ts'
import { type ServiceProcess, startServiceProcess } from '../support/service-process.ts'
import { sendWild } from '../support/wild-client.ts'
import { type WildRequest, wildRequest } from '../support/wild-requests.ts'

const { SOCKPOOL_TEST_REQUESTS = '1000', SOCKPOOL_TEST_SEED } = process.env
const REQUESTS = Number(SOCKPOOL_TEST_REQUESTS)
/** Sent between two looks at the service. */
const BATCH = 50
const WIDTH = 10
const ROUNDS = 50
const BODY_BYTES = 262_144
const BATCHES = Math.max(1, Math.round(REQUESTS / BATCH))
const FIFTH = Math.ceil(BATCHES / 5)
/**
 * A long run rests after each fifth until the service has collected its garbage. How much of that lies about while it is
 * busy depends on how fast the machine lets it work: 150 MiB and more, which V8 may take and no leak is.
 */
const IS_LONG = REQUESTS >= 5_000
const REST_LOOKS = 90
const REST_PAUSE_MS = 1_000
/** Looks in a row that see nothing go back: V8 keeps pages that it has emptied for ten to twenty seconds. */
const SETTLED_LOOKS = 30
/** Bytes by which the process may be larger after the last fifth than after the second. A short run is still warming up. */
const GROWTH_MAX = (IS_LONG ? 64 : 192) * 1_048_576

type Memory = { readonly rss: number; readonly heapUsed: number; readonly ringBytes: number }

let service: ServiceProcess
let described: DescribedAnswers
const statuses = new Map<number | 'none', number>()
const sizes: Memory[] = []
const rests: Memory[] = []

beforeAll(async () => {
  service = await startServiceProcess({
    args: ['--demo', '--log-level', 'error'],
    config: { ioWorkers: 1, limits: { operationTimeout: '100ms', bodyBytes: BODY_BYTES } },
  })
  described = await describedAnswers()
})
afterAll(() => service.stop())

/** A verb whose caller has gone may be obeyed when the batch is over: the target is opened anew until it lends. */
async function leaseAtLast(): Promise<LeaseView> {
  for (let round = 0; ; round++) {
    const answer = await service.api.post('/v1/leases', { json: { target: 'demo', ttlMs: 60_000 } })
    if (answer.status === 201) return jsonOf<LeaseView>(answer)
    if (round === ROUNDS) throw new Error(`the service lends no more: ${answer.text}`)
    await tidy()
  }
}

/** The bounds of the target are what a wild request has made of them: 100 ms for a dial may be too few. */
async function echoAtLast(): Promise<void> {
  for (let round = 0; ; round++) {
    const { text } = await service.api.post('/v1/exchange?target=demo&read=line', {
      body: 'still here\n',
      headers: { 'content-type': 'application/octet-stream' },
    })
    if (text === 'still here\n') return
    if (round === ROUNDS) throw new Error(`the service exchanges no more: ${text}`)
    await tidy()
  }
}

/** What is wrong with the answers to a batch. */
async function play(port: number, batch: readonly WildRequest[]): Promise<readonly string[]> {
  const lease = await leaseAtLast()
  const faults: string[] = []
  const left = [...batch]
  await Promise.all(
    Array.from({ length: WIDTH }, async () => {
      for (let next = left.pop(); next !== undefined; next = left.pop()) {
        const request = { ...next, target: next.target.replace('{live}', lease.id) }
        const answer = await sendWild(port, request)
        statuses.set(answer?.status ?? 'none', (statuses.get(answer?.status ?? 'none') ?? 0) + 1)
        if (answer === null) continue
        const fault =
          answer.status === 500 ? 'is 500' : described.faultOf(request.method, request.target, answer)
        if (fault !== null) faults.push(`${next.method} ${next.target.slice(0, 200)}: ${fault}`)
      }
    }),
  )
  return faults
}

/** Ends what the batch has begun, through a service that must still serve. */
async function tidy(): Promise<void> {
  const { api } = service
  const { targets } = jsonOf<{ targets: { name: string }[] }>(await api.get('/v1/targets'))
  for (const { name } of targets) {
    for (const verb of ['enable', 'resume']) await api.post(`/v1/targets/${encodeURIComponent(name)}/${verb}`)
    const json = {
      pool: { min: 0, max: 32, maxConnecting: 8, connectTimeoutMs: 3_000, maxLifetimeMs: 600_000 },
    }
    await api.request('PATCH', `/v1/targets/${encodeURIComponent(name)}`, { json })
  }
  const { leases } = jsonOf<{ leases: { id: string }[] }>(await api.get('/v1/leases'))
  for (const { id } of leases) await api.request('DELETE', `/v1/leases/${id}?kill=true`)
  sizes.push(await memory())
}

async function memory(): Promise<Memory> {
  return jsonOf<{ memory: Memory }>(await service.api.get('/v1/stats')).memory
}

/** The least that the process had in each fifth of the run, while it was busy. */
function leastBytes(): readonly number[] {
  const width = Math.ceil(sizes.length / 5)
  return [0, 1, 2, 3, 4].map(part =>
    Math.min(...sizes.slice(part * width, (part + 1) * width).map(({ rss }) => rss)),
  )
}

/** What the process has once nobody calls: looked at until its heap has fallen and nothing more goes back to the system. */
async function memoryAtRest(): Promise<Memory> {
  let least = await memory()
  let highest = least.heapUsed
  let settled = 0
  for (let look = 0; look < REST_LOOKS && settled < SETTLED_LOOKS; look++) {
    await setTimeout(REST_PAUSE_MS)
    const now = await memory()
    highest = Math.max(highest, now.heapUsed)
    settled = now.rss < least.rss || now.heapUsed > highest * 0.75 ? 0 : settled + 1
    if (now.rss <= least.rss) least = now
  }
  return least
}

describe('every operation', () => {
  test('withstands wild requests', { timeout: 60_000 + REQUESTS * 60 }, async () => {
    const { host, port } = new URL(service.url)
    const season = { host, token: service.token ?? '', bodyBytes: BODY_BYTES }
    let played = 0
    const batches = fc.array(wildRequest(await apiDocument(), season), { minLength: BATCH, maxLength: BATCH })
    await fc.assert(
      fc.asyncProperty(batches, async batch => {
        expect(await play(Number(port), batch)).toEqual([])
        await tidy()
        played++
        if (IS_LONG && (played % FIFTH === 0 || played === BATCHES)) rests.push(await memoryAtRest())
      }),
      {
        numRuns: BATCHES,
        endOnFailure: true,
        ...(SOCKPOOL_TEST_SEED !== undefined && { seed: Number(SOCKPOOL_TEST_SEED) }),
      },
    )
    const counted = Object.fromEntries(
      [...statuses].toSorted(([one], [other]) => Number(one) - Number(other)),
    )
    const rss = { busy: leastBytes(), rests }
    console.log(JSON.stringify({ requests: REQUESTS, statuses: counted, rss, memory: sizes.at(-1) }))
    expect(statuses.get(200) ?? 0).toBeGreaterThan(REQUESTS / 20)
    expect(statuses.get(400) ?? 0).toBeGreaterThan(REQUESTS / 20)
    const [, warm = 0, , , last = 0] = IS_LONG ? rests.map(({ rss: bytes }) => bytes) : rss.busy
    expect(last - warm).toBeLessThan(GROWTH_MAX)
    await echoAtLast()
    // Requests of the bad kind are logged; a fault of the service has another line.
    expect(
      service
        .stderr()
        .split('\n')
        .filter(line => !line.endsWith('"msg":"request"}')),
    ).toEqual([''])
  })
})
