/**
 * Every operation of the OpenAPI document is called with what the document says is valid, and with callers that may not
 * come in; what comes back must be as described. Malformed requests are those of bad-input.test.ts.
 */
import { request } from 'node:http'
import { beforeAll, describe, expect, test } from 'vitest'
import { afterFile } from '../support/after-file.ts'
import { jsonOf } from '../support/api.ts'
import { type ApiDocument, apiDocument } from '../support/api-document.ts'
import { type ApiRequest, validRequests } from '../support/api-requests.ts'
import { type DescribedAnswers, describedAnswers, type HeldAnswer } from '../support/described-answers.ts'
import { type ServiceFixture, startServiceFixture } from '../support/service-fixture.ts'

/** Milliseconds that a body may take: a stream that goes on is cut then. */
const BODY_MS = 1_000
/** How often a call is tried again that has never succeeded. */
const ROUNDS = 5
/** What lies on each lease before a call: a value, and lines. */
const TEXT = '{"answer":42}\nhello\n'
/** What needs somebody at the other end, who speaks TLS in the midst or connects: other tests have one. */
const NEEDS_A_PEER = ['startTls', 'accept']

let service: ServiceFixture
let described: DescribedAnswers
let document: ApiDocument

beforeAll(async () => {
  service = await startServiceFixture({
    demo: true,
    config: { limits: { operationTimeout: '5s' }, ioWorkers: 1, ingress: { listen: ['127.0.0.1:0'] } },
    finally: afterFile,
  })
  described = await describedAnswers()
  document = await apiDocument()
})

type Sent = Pick<ApiRequest, 'method' | 'headers' | 'body'> & { readonly target: string }

/** With a Host header and all that fetch keeps to itself. */
function send({ method, target, headers, body }: Sent): Promise<HeldAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({
      host: '127.0.0.1',
      port: service.port,
      agent: false,
      method,
      path: target,
      headers: {
        authorization: `Bearer ${service.token}`,
        ...headers,
        ...(body !== null && { 'content-length': Buffer.byteLength(body) }),
      },
    })
    outgoing.once('error', reject)
    outgoing.once('response', incoming => {
      const lines = Object.entries(incoming.headers).map(([name, value]) => [name, String(value)] as const)
      const chunks: Buffer[] = []
      const done = (): void => {
        clearTimeout(timer)
        outgoing.destroy()
        const bytes = Buffer.concat(chunks)
        resolve({ status: incoming.statusCode ?? 0, headers: new Map(lines), bytes })
      }
      const timer = setTimeout(done, BODY_MS)
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
      incoming.once('end', done).once('error', reject)
    })
    outgoing.end(body ?? undefined)
  })
}

/** The path of an operation with parameters that lead somewhere: to a new row of its collection, or to one that is there. */
async function targetOf({ template, query, method, operation }: ApiRequest): Promise<string> {
  const [collection = '', rest] = template.split(/\/\{\w+\}/)
  let path = template
  if (rest !== undefined) path = `${collection}/${await rowOf(collection, operation)}${rest}`
  if (collection === '/v1/leases' && rest !== undefined && method === 'POST' && rest !== '/write') {
    const lease = path.slice(0, path.length - rest.length)
    await service.api.post(`${lease}/write?drain=true`, { body: TEXT })
    // What waits for the end of a connection is called on one that ends.
    if (operation.operationId === 'waitClosed') await service.api.post(`${lease}/close`)
  }
  return query === '' ? path : `${path}?${query}`
}

async function rowOf(collection: string, operation: ApiRequest['operation']): Promise<string> {
  const { get, post } = document.paths[collection] ?? {}
  if (post) {
    const json = post.requestBody?.content['application/json']?.example
    const made = await service.api.post(collection, { json })
    if (made.status === 201) return String(jsonOf(made)['id'])
  }
  if (get) {
    // Threads that serve HTTP, or parse, have rows beside the I/O workers, and are told nothing.
    const rows = (await rowsOf(collection)).filter(({ kind }) => kind !== 'http' && kind !== 'parse')
    const newest = rows.at(-1) ?? (await rowsAfterLease(collection)).at(-1)
    if (newest) return String(newest['name'] ?? newest['id'])
  }
  return String(operation.parameters?.find(parameter => parameter.in === 'path')?.example)
}

type Row = Readonly<Record<string, unknown>>

async function rowsOf(collection: string): Promise<readonly Row[]> {
  const [rows] = Object.values(jsonOf(await service.api.get(collection)))
  return rows as readonly Row[]
}

/** Where nothing is to be seen until somebody does something. */
async function rowsAfterLease(collection: string): Promise<readonly Row[]> {
  await service.api.lease('demo')
  return await rowsOf(collection)
}

/** Ends what a call has begun: leases, and what an operator has told a target. */
async function tidy(): Promise<void> {
  const { targets } = jsonOf<{ targets: { name: string }[] }>(await service.api.get('/v1/targets'))
  for (const { name } of targets)
    for (const verb of ['enable', 'resume']) await service.api.post(`/v1/targets/${name}/${verb}`)
  const { leases } = jsonOf<{ leases: { id: string }[] }>(await service.api.get('/v1/leases'))
  for (const { id } of leases) await service.api.request('DELETE', `/v1/leases/${id}?kill=true`)
}

describe('every operation', () => {
  test('answers valid requests as its document says', { timeout: 120_000 }, async () => {
    const faults: string[] = []
    const succeeded = new Set<string>()
    const call = async (each: ApiRequest): Promise<void> => {
      const target = await targetOf(each)
      const answer = await send({ ...each, target })
      const fault = described.faultOf(each.method, target, answer)
      if (fault !== null) faults.push(`${each.title}: ${fault}`)
      const { operationId = '' } = each.operation
      const mayFail = answer.status === 504 || NEEDS_A_PEER.includes(operationId)
      if (answer.status >= 500 && !mayFail) faults.push(`${each.title}: ${answer.bytes}`)
      if (answer.status < 400) succeeded.add(operationId)
      await tidy()
    }
    const requests = validRequests(document)
    for (const each of requests) await call(each)
    // On a busy machine a call may run out of its time, or its connection end, before it is served.
    const isLeft = ({ operation: { operationId = '', responses } }: ApiRequest): boolean =>
      !succeeded.has(operationId) && !NEEDS_A_PEER.includes(operationId) && responses[101] === undefined
    for (let round = 0; round < ROUNDS; round++) for (const each of requests.filter(isLeft)) await call(each)
    expect(faults).toEqual([])
    expect(requests.filter(isLeft).map(({ title }) => title)).toEqual([])
  })

  test.each([
    ['without a token', { authorization: '' }, 401],
    ['with a wrong token', { authorization: 'Bearer wrong' }, 401],
    ['under a foreign name', { host: 'evil.example' }, 403],
    ['for a foreign page', { origin: 'https://evil.example' }, 403],
    ['that asks for another protocol', { connection: 'upgrade', upgrade: 'nonsense, websocket' }, null],
    [
      'with a body that is far too large',
      { 'content-type': 'application/json', 'content-length': String(2 ** 40) },
      null,
    ],
    ['of an unknown type', { 'content-type': 'a/b' }, null],
    ['that wants no type there is', { accept: 'a/b' }, null],
  ] as const)('answers a caller %s as its document says', async (_title, headers, status) => {
    const faults: string[] = []
    for (const [template, item] of Object.entries(document.paths))
      for (const [verb, { security }] of Object.entries(item)) {
        const method = verb.toUpperCase()
        const target = template.replace(/\{\w+\}/g, 'nothing')
        const answer = await send({ method, target, headers, body: null })
        const fault = described.faultOf(method, target, answer)
        if (fault !== null) faults.push(`${method} ${template}: ${fault}`)
        const isOpen = security?.length === 0
        if (status !== null && !isOpen && answer.status !== status)
          faults.push(`${method} ${template}: ${answer.status}`)
      }
    expect(faults).toEqual([])
  })
})
