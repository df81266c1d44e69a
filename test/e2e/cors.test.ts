/** Pages of other origins: those that the operator has listed may call and read the answers, and no others. */
import { readdirSync, readFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { EXPOSED_HEADERS } from '../../src/http/door/cors.ts'
import { CALLER_HEADER, FORWARDED_HEADER } from '../../src/http/door/forwarded-caller.ts'
import { REDIRECT_HEADER } from '../../src/http/forwarding/forwarding.ts'
import { afterFile } from '../support/after-file.ts'
import { type Answer, type Call, jsonOf, problemOf } from '../support/api.ts'
import { type ServiceFixture, startServiceFixture } from '../support/service-fixture.ts'
import { ROOT } from '../support/service-process.ts'

const LISTED = 'https://console.example'
const OTHER = 'https://evil.example'
const CORS = /^access-control-/

let service: ServiceFixture

beforeAll(async () => {
  service = await startServiceFixture({
    demo: true,
    config: { http: { origins: [LISTED, 'http://localhost:3000'] }, limits: { operationTimeout: '2s' } },
    finally: afterFile,
  })
})

const from = (origin: string, more: Readonly<Record<string, string>> = {}): Call => ({
  headers: { origin, 'sec-fetch-site': 'cross-site', ...more },
})

const corsOf = (answer: Answer): Record<string, string> =>
  Object.fromEntries([...answer.headers].filter(([name]) => CORS.test(name)))

const NAMED = {
  'access-control-allow-origin': LISTED,
  'access-control-expose-headers': EXPOSED_HEADERS.join(', '),
}

const preflight = (origin: string, method = 'POST', headers = 'authorization,content-type'): Call =>
  from(origin, { 'access-control-request-method': method, 'access-control-request-headers': headers })

describe('a page of a listed origin', () => {
  test.each(['/v1/leases', '/v1/leases/some-id', '/v1/exchange', '/v1/nowhere', '/readyz'])(
    'may ask ahead of a request to %s, without a token',
    async path => {
      const answer = await service.api.as(null).request('OPTIONS', path, preflight(LISTED))
      expect([answer.status, answer.text]).toEqual([204, ''])
      expect(corsOf(answer)).toEqual({
        ...NAMED,
        'access-control-allow-methods': 'GET, HEAD, POST, PATCH, DELETE',
        'access-control-allow-headers':
          'Authorization, Content-Type, Idempotency-Key, Sockpool-Redirect, traceparent',
        'access-control-max-age': '600',
      })
      expect(answer.headers.get('vary')).toBe('origin')
    },
  )

  test('may read what is answered: done, refused, unknown, malformed and without a token', async () => {
    const { api } = service
    const calls: [number, Promise<Answer>][] = [
      [200, api.get('/v1/stats', from(LISTED))],
      [201, api.post('/v1/leases', { ...from(LISTED), json: { target: 'demo' } })],
      [400, api.post('/v1/leases', { ...from(LISTED), json: { target: 5 } })],
      [400, api.get('/v1/leases/%ff', from(LISTED))],
      [401, api.as(null).get('/v1/stats', from(LISTED))],
      [404, api.get('/v1/leases/nobody', from(LISTED))],
      [404, api.get('/v1/nowhere', from(LISTED))],
      [415, api.post('/v1/leases', { ...from(LISTED), body: 'x' })],
      [200, api.as(null).get('/livez', from(LISTED))],
    ]
    for (const [status, calling] of calls) {
      const answer = await calling
      expect(answer.status, answer.text).toBe(status)
      expect(corsOf(answer), String(status)).toEqual(NAMED)
    }
  })

  test('may read bytes and what the headers say of them, also where they are sent by turns', async () => {
    const lease = await service.api.lease('demo')
    onTestFinished(async () => void (await lease.release('?discard=true')))
    const large = 'x'.repeat(700_000)
    await lease.call('write', { body: large })
    const answer = await lease.call(`readexactly?n=${large.length}`, from(LISTED))
    expect(answer.text).toBe(large)
    expect(corsOf(answer)).toEqual(NAMED)
    expect(answer.headers.get('vary')?.split(/, */).sort()).toEqual(['accept', 'origin'])
  })

  test('may read what goes on and on', async () => {
    const lease = await service.api.lease('demo')
    onTestFinished(async () => void (await lease.release('?discard=true')))
    for (const path of ['/v1/events', `${lease.path}/lines`]) {
      const gone = new AbortController()
      const answer = await fetch(new URL(path, service.url), {
        headers: { authorization: `Bearer ${service.token}`, ...from(LISTED).headers },
        signal: gone.signal,
      })
      const cors = Object.fromEntries([...answer.headers].filter(([name]) => CORS.test(name)))
      gone.abort()
      expect([path, answer.status, cors]).toEqual([path, 200, NAMED])
    }
  })

  test('is named in the spelling that it sent, and there is one for each', async () => {
    for (const origin of ['http://localhost:3000', 'HTTPS://Console.Example'])
      expect(corsOf(await service.api.get('/v1/stats', from(origin)))).toMatchObject({
        'access-control-allow-origin': origin,
      })
  })

  test('may read that the host is another one', async () => {
    const headers = { host: 'evil.example', origin: LISTED, authorization: `Bearer ${service.token}` }
    const told = await new Promise<unknown>((resolve, reject) => {
      const outgoing = request(new URL('/v1/stats', service.url), { headers, agent: false })
      outgoing.once('error', reject)
      outgoing.once('response', incoming => {
        incoming.resume()
        resolve([incoming.statusCode, incoming.headers['access-control-allow-origin']])
      })
      outgoing.end()
    })
    expect(told).toEqual([403, LISTED])
  })
})

describe('a page of another origin', () => {
  test.each([
    OTHER,
    'null',
    `${LISTED}.evil.example`,
    'https://console.example:8443',
    'http://console.example',
  ])('of %s may neither ask nor call, and reads nothing', async origin => {
    const asked = await service.api.as(null).request('OPTIONS', '/v1/leases', preflight(origin))
    const called = await service.api.get('/v1/stats', from(origin))
    for (const answer of [asked, called]) {
      expect(problemOf(answer)).toMatchObject({ status: 403, code: 'host_denied' })
      expect(corsOf(answer)).toEqual({})
      expect(answer.headers.get('vary')).toBe('origin')
    }
  })

  test('is told nothing where it may call without asking, and no other caller is either', async () => {
    for (const call of [from(OTHER), {}]) {
      const answer = await service.api.as(null).get('/livez', call)
      expect([answer.status, corsOf(answer)]).toEqual([200, {}])
    }
  })
})

describe('OPTIONS', () => {
  test('that is no question of a browser is a request like every other', async () => {
    const { api } = service
    expect((await api.as(null).request('OPTIONS', '/v1/leases', from(LISTED))).status).toBe(401)
    expect((await api.request('OPTIONS', '/v1/leases', from(LISTED))).status).toBe(404)
    expect((await api.as(null).request('OPTIONS', '/v1/leases')).status).toBe(401)
  })
})

test('without listed origins no answer says anything of origins', async () => {
  const plain = await startServiceFixture({ finally: onTestFinished })
  const answer = await plain.api.get('/v1/stats')
  expect([corsOf(answer), answer.headers.get('vary')]).toEqual([{}, null])
  const asked = await plain.api.request('OPTIONS', '/v1/leases', preflight(LISTED))
  expect([asked.status, corsOf(asked)]).toEqual([403, {}])
})

test('a reload lists other origins, from the next request on', async () => {
  const own = await startServiceFixture({ config: { http: { origins: [LISTED] } }, finally: onTestFinished })
  await own.configure({ http: { origins: [OTHER] } })
  expect(jsonOf(await own.api.post('/v1/reload'))).toMatchObject({ ignored: [] })
  expect(corsOf(await own.api.get('/v1/stats', from(OTHER)))).toMatchObject({
    'access-control-allow-origin': OTHER,
  })
  expect((await own.api.get('/v1/stats', from(LISTED))).status).toBe(403)
})

test('every header of our own that an answer has is one that pages may read', () => {
  const folder = join(ROOT, 'src', 'http')
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(name =>
    name.endsWith('.ts'),
  )
  const named = files.flatMap(
    file => readFileSync(join(folder, file), 'utf8').match(/(?<=['"])sockpool-[a-z-]+(?=['"])/g) ?? [],
  )
  expect(new Set(named).size).toBeGreaterThan(3)
  const ofRequests = [CALLER_HEADER, FORWARDED_HEADER, REDIRECT_HEADER]
  const ofAnswers = [...new Set(named)].filter(name => !ofRequests.includes(name))
  expect(ofAnswers.filter(name => !EXPOSED_HEADERS.includes(name))).toEqual([])
})
