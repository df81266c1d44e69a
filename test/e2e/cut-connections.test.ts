/**
 * Callers behind a network that cuts every connection, at any byte of a request or its answer. Each asks again with the
 * same key and the same offsets until it has its answer; the target hears every question once, every answer comes whole,
 * and nothing is left over. So many round trips as SOCKPOOL_TEST_ROUND_TRIPS says; SOCKPOOL_TEST_SEED plays one again.
 */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { jsonOf, type LeaseView } from '../support/api.ts'
import { type CuttingProxy, startCuttingProxy } from '../support/cutting-proxy.ts'
import { Random } from '../support/fence-random.ts'
import { RetryingClient, type WholeAnswer } from '../support/retrying-client.ts'
import { type ServiceProcess, startServiceProcess } from '../support/service-process.ts'

const { SOCKPOOL_TEST_ROUND_TRIPS = '300', SOCKPOOL_TEST_SEED = String(Date.now() % 1_000_000) } = process.env
const ROUND_TRIPS = Number(SOCKPOOL_TEST_ROUND_TRIPS)
const SEED = Number(SOCKPOOL_TEST_SEED)
/** Round trips at once. */
const CALLERS = 8
/** Questions of one lease. */
const QUESTIONS = 2
const QUESTION_BYTES_MAX = 6_000

/** What a question must be answered with; it tells whose it is at both ends. */
function answerTo(question: string): string {
  const [name = '', text = ''] = question.trimEnd().split(' ')
  return `${name} ${text.split('').reverse().join('')} ${name}\n`
}

/** A target that answers in lines, and remembers how often it was asked what. */
class CountingTarget {
  readonly heard = new Map<string, number>()
  readonly #sockets = new Set<Socket>()
  readonly #server = createServer({ noDelay: true }, socket => this.#serve(socket))

  async listen(): Promise<{ readonly host: string; readonly port: number }> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return { host: '127.0.0.1', port: (this.#server.address() as AddressInfo).port }
  }

  async close(): Promise<void> {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await once(this.#server, 'close')
  }

  #serve(socket: Socket): void {
    let rest = ''
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('error', () => {})
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        this.heard.set(line, (this.heard.get(line) ?? 0) + 1)
        socket.write(answerTo(line))
      }
    })
  }
}

/** Fails with what was answered where that is something else. */
function whole({ status, bytes, ...answer }: WholeAnswer, expected: number, call: string): WholeAnswer {
  if (status !== expected) throw new Error(`${call} is answered ${status}: ${bytes}`)
  return { ...answer, status, bytes }
}

class Caller {
  readonly #client: RetryingClient
  readonly #random: Random
  readonly questions: string[] = []

  constructor(client: RetryingClient, random: Random) {
    this.#client = client
    this.#random = random
  }

  /** Leases, asks, reads the answers, and releases; the id of the lease. */
  async roundTrip(number: number): Promise<string> {
    const lease = await this.#lease(number)
    let [written, read] = [0, 0]
    for (let index = 0; index < QUESTIONS; index++) {
      const question = this.#question(`${number}.${index}`)
      const { bytes } = whole(
        await this.#client.call({
          method: 'POST',
          path: `${lease}/write?offset=${written}${this.#random.chance(0.5) ? '&drain=true' : ''}`,
          body: question,
        }),
        200,
        'write',
      )
      written += question.length
      expect(JSON.parse(bytes.toString())).toEqual({ accepted: question.length, offset: written })
      read += await this.#readAnswer(lease, read, answerTo(question))
    }
    await this.#release(lease)
    return lease
  }

  async #lease(number: number): Promise<string> {
    const answer = await this.#client.call({
      method: 'POST',
      path: '/v1/leases',
      body: JSON.stringify({ target: 'lines', replay: true, ttlMs: 60_000 }),
      headers: { 'content-type': 'application/json', 'idempotency-key': `${SEED} ${number}` },
    })
    const { id } = JSON.parse(whole(answer, 201, 'lease').bytes.toString()) as LeaseView
    return `/v1/leases/${id}`
  }

  #question(name: string): string {
    const length = Math.floor(QUESTION_BYTES_MAX ** this.#random.next())
    const question = `${name} ${String.fromCharCode(97 + this.#random.below(26)).repeat(length)}${length}\n`
    this.questions.push(question.trimEnd())
    return question
  }

  /** In one read, or cut in two at any byte. */
  async #readAnswer(lease: string, offset: number, expected: string): Promise<number> {
    const first = this.#random.chance(0.5) ? this.#random.below(expected.length) : 0
    const read = async (operation: string, at: number): Promise<string> => {
      const path = `${lease}/${operation}offset=${offset + at}`
      const answer = whole(await this.#client.call({ method: 'POST', path }), 200, operation)
      expect(answer.headers['sockpool-offset']).toBe(String(offset + at))
      return answer.bytes.toString('latin1')
    }
    if (first > 0) expect(await read(`readexactly?n=${first}&`, 0)).toBe(expected.slice(0, first))
    // The line from its beginning, though its front was read before; or what is left of it.
    const from = this.#random.chance(0.5) ? 0 : first
    expect(await read('readline?', from)).toBe(expected.slice(from))
    return expected.length
  }

  /** Once a release was heard, a repeat of it finds the lease released. */
  async #release(lease: string): Promise<void> {
    const answer = await this.#client.call({ method: 'DELETE', path: lease })
    if (answer.asked > 1 && answer.status === 410) {
      expect(JSON.parse(answer.bytes.toString())).toMatchObject({ code: 'lease_gone', reason: 'released' })
      return
    }
    whole(answer, 200, 'release')
  }
}

async function startService(target: CountingTarget): Promise<ServiceProcess> {
  const place = await target.listen()
  onTestFinished(() => target.close())
  const lines = { ...place, frame: 'line', reuse: 'clean', pool: { max: 2 * CALLERS } }
  const service = await startServiceProcess({ config: { targets: { lines } } })
  onTestFinished(() => service.stop())
  return service
}

/** Plays all round trips, some at once; the leases they had. */
async function playAll(client: RetryingClient, callers: readonly Caller[]): Promise<readonly string[]> {
  const leases: string[] = []
  let next = 0
  await Promise.all(
    callers.map(async caller => {
      while (next < ROUND_TRIPS) leases.push(await caller.roundTrip(next++))
    }),
  ).finally(() => client.close())
  return leases
}

test(`${ROUND_TRIPS} round trips over connections that are cut at any byte are all intact (seed ${SEED})`, {
  timeout: 60_000 + 200 * ROUND_TRIPS,
}, async () => {
  const target = new CountingTarget()
  const service = await startService(target)
  const random = new Random(SEED)
  const port = Number(new URL(service.url).port)
  const proxy: CuttingProxy = await startCuttingProxy({ host: '127.0.0.1', port }, random)
  onTestFinished(() => proxy.close())
  // The proxy is not known to the service, which is asked for by its own name.
  const client = new RetryingClient(proxy.port, {
    host: `127.0.0.1:${port}`,
    authorization: `Bearer ${service.token}`,
  })
  const callers = Array.from({ length: CALLERS }, (_, index) => new Caller(client, Random.of(SEED, index)))
  const leases = await playAll(client, callers)

  expect(new Set(leases).size).toBe(ROUND_TRIPS)
  const asked = callers.flatMap(({ questions }) => questions)
  expect(asked).toHaveLength(ROUND_TRIPS * QUESTIONS)
  const wrong = asked.filter(question => target.heard.get(question) !== 1)
  expect(wrong, 'questions that were not heard once').toEqual([])
  expect(target.heard.size, 'lines that the target heard').toBe(asked.length)
  expect(proxy.cuts.up, 'cuts of requests').toBeGreaterThan(ROUND_TRIPS / 10)
  expect(proxy.cuts.down, 'cuts of answers').toBeGreaterThan(ROUND_TRIPS / 10)
  expect(client.retries).toBeGreaterThan(ROUND_TRIPS / 10)
  // The last answers to nobody may still be on their way out.
  const left = async (): Promise<unknown> => {
    const { leases: held } = jsonOf<{ leases: unknown[] }>(await service.api.get('/v1/leases'))
    const { leases: all, waiters } = jsonOf<Record<string, number>>(await service.api.get('/v1/stats'))
    return { held, all, waiters }
  }
  await expect.poll(left, { timeout: 5_000 }).toEqual({ held: [], all: 0, waiters: 0 })
  console.log(JSON.stringify({ roundTrips: ROUND_TRIPS, cuts: proxy.cuts, retries: client.retries }))
})
