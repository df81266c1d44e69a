/** Who calls, where another instance passes the call on: its token travels, and who has shown a certificate is vouched for. */
import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import { describe, expect, test } from 'vitest'
import { hashToken } from '../../src/config/token-file.ts'
import { CALLER_HEADER, callerWord, FORWARDED_HEADER } from '../../src/http/door/forwarded-caller.ts'
import { problemOf } from '../support/api.ts'
import {
  FLEET_SECRET,
  type FleetScene,
  type Instance,
  type InstanceTraits,
  startFleetScene,
} from '../support/app-fleet.ts'
import { type ClientCertificate, clientCertificate } from '../support/client-certificate.ts'
import { testCertificate } from '../support/tls-certs.ts'
import { until } from '../support/until.ts'

const token = (name: string) => ({
  name,
  sha256: hashToken(`the-token-of-${name}`),
  targets: ['*'],
  admin: false,
})
const TOKENS = [{ ...token('ops'), admin: true }, token('alice'), token('bob')]

type SecureScene = FleetScene & {
  readonly alice: ClientCertificate
  readonly bob: ClientCertificate
  /** The answer to who shows this certificate. */
  ask(
    at: Instance,
    as: ClientCertificate,
    path: string,
    more?: { method?: string; json?: unknown; headers?: Record<string, string> },
  ): Promise<{ readonly status: number; readonly body: Record<string, unknown> }>
}

type Certificates = Readonly<Record<'alice' | 'bob', ClientCertificate>>

async function startSecure(traits: (shown: Certificates) => InstanceTraits): Promise<SecureScene> {
  const [server, alice, bob, instance] = await Promise.all([
    testCertificate(),
    clientCertificate('alice'),
    clientCertificate('bob'),
    clientCertificate('instance'),
  ])
  const clientCa = [alice.cert, bob.cert, instance.cert].join('\n')
  const { cert, key } = server
  const scene = await startFleetScene({
    auth: { tokens: TOKENS },
    tls: { cert, key, clientCa },
    fleetTls: { ca: cert, cert: instance.cert, key: instance.key },
    ...traits({ alice, bob }),
  })
  return {
    ...{ ...scene, alice, bob },
    ask: (at, as, path, { method = 'GET', json, headers = {} } = {}) => {
      const agent = new Agent({ ca: cert, cert: as.cert, key: as.key })
      return new Promise((resolve, reject) => {
        const type = json === undefined ? {} : { 'content-type': 'application/json' }
        const sent = request(
          new URL(path, at.url),
          { agent, method, headers: { ...type, ...headers } },
          answer => {
            const chunks: Buffer[] = []
            answer.on('data', (chunk: Buffer) => chunks.push(chunk))
            answer.once('error', reject)
            answer.once('end', () => {
              agent.destroy()
              const body = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>
              resolve({ status: answer.statusCode ?? 0, body })
            })
          },
        )
        sent.once('error', reject)
        sent.end(json === undefined ? undefined : JSON.stringify(json))
      })
    },
  }
}

const leasedBy = async ({ ask, owner, words }: SecureScene, as: ClientCertificate): Promise<string> => {
  const made = await ask(owner, as, '/v1/leases', { method: 'POST', json: { target: 'peer' } })
  const id = String(made.body['id'])
  words.owners.set(id, 'owner')
  return `/v1/leases/${id}`
}

describe('a caller with a certificate', () => {
  test('is known to the owner by the word of the instance that it called, once', async () => {
    const scene = await startSecure(() => ({}))
    const { ask, owner, other, alice, bob } = scene
    const path = await leasedBy(scene, alice)
    const words: string[] = []
    owner.app.server.on('request', ({ headers }: IncomingMessage) => {
      const word = headers[CALLER_HEADER]
      if (word !== undefined) words.push(String(word))
    })
    expect(await ask(other, alice, path)).toMatchObject({ status: 200 })
    await until('its owner has logged it', () => owner.log.requests.length === 2)
    expect(owner.log.requests.at(-1)).toMatchObject({ tenant: 'alice', status: 200 })
    expect(await ask(other, bob, path)).toMatchObject({ status: 404, body: { code: 'lease_not_found' } })
    expect(words).toHaveLength(2)
    const [word = ''] = words
    expect(word).toMatch(/^v1\./)
    for (const { log } of [owner, other]) expect(log.text).not.toContain(word)
    // Whoever has seen it cannot use it.
    const headers = { [CALLER_HEADER]: word, [FORWARDED_HEADER]: 'other' }
    expect(await ask(owner, bob, path, { headers })).toMatchObject({ status: 401 })
  })

  test('and a token is who the token says, there as here', async () => {
    const scene = await startSecure(() => ({}))
    const { ask, owner, other, alice, bob } = scene
    const path = await leasedBy(scene, alice)
    const headers = { authorization: 'Bearer the-token-of-alice' }
    expect(await ask(other, bob, path, { headers })).toMatchObject({ status: 200 })
    await until('its owner has logged it', () => owner.log.requests.length === 2)
    expect(owner.log.requests.at(-1)).toMatchObject({ tenant: 'alice' })
  })

  test.each([1, 2])(
    'and a token that Connection names is who the token says, with %i threads',
    async threads => {
      const { cert: ca } = await testCertificate()
      // The certificate of the instance in between has the name of a caller.
      const scene = await startSecure(({ bob: { cert, key } }) => ({ threads, fleetTls: { ca, cert, key } }))
      const { ask, owner, other, alice, bob } = scene
      const path = await leasedBy(scene, alice)
      const headers = { authorization: 'Bearer the-token-of-alice', connection: 'close, Authorization' }
      expect(await ask(other, bob, path, { headers })).toMatchObject({ status: 200 })
      await until('its owner has logged it', () => owner.log.requests.length === 2)
      expect(owner.log.requests.at(-1)).toMatchObject({ tenant: 'alice', status: 200 })
    },
  )

  test.each([1, 2])(
    'is nobody to %i threads where an instance shows it and says nothing of its caller',
    async threads => {
      const { ask, owner, alice } = await startSecure(() => ({ threads }))
      const json = { target: 'none', write: { text: 'x' }, read: 'line' }
      const ways = [
        { path: '/v1/leases', way: {}, status: 200 },
        { path: '/v1/exchange', way: { method: 'POST', json }, status: 404 },
      ]
      for (const { path, way, status } of ways) {
        const passedOn = { [FORWARDED_HEADER]: 'other' }
        expect(await ask(owner, alice, path, { ...way, headers: passedOn })).toMatchObject({ status: 401 })
        expect(await ask(owner, alice, path, way)).toMatchObject({ status })
        const headers = { ...passedOn, authorization: 'Bearer the-token-of-alice' }
        expect(await ask(owner, alice, path, { ...way, headers })).toMatchObject({ status })
      }
    },
  )

  test('is refused by an owner to which the other instance shows no certificate', async () => {
    const scene = await startSecure(() => ({ fleetTls: {} }))
    const path = await leasedBy(scene, scene.alice)
    // Without the authority the owner's own certificate is not trusted either.
    expect(await scene.ask(scene.other, scene.alice, path)).toMatchObject({
      ...{ status: 503, body: { code: 'instance_unreachable', retryable: true } },
    })
    const { cert } = await testCertificate()
    const trusting = await startSecure(() => ({ fleetTls: { ca: cert } }))
    const theirs = await leasedBy(trusting, trusting.alice)
    expect(await trusting.ask(trusting.other, trusting.alice, theirs)).toMatchObject({ status: 401 })
  })

  test('waits while the instances do not know their secret yet', async () => {
    const scene = await startSecure(() => ({}))
    const path = await leasedBy(scene, scene.alice)
    scene.other.fleet.secret = null
    expect(await scene.ask(scene.other, scene.alice, path)).toMatchObject({
      ...{ status: 503, body: { code: 'instance_unreachable' } },
    })
    expect(scene.other.results).toEqual(['instance_unreachable'])
  })
})

describe('a word on the caller', () => {
  const call = (path: string, { method = 'GET', owner = 'owner' } = {}) => ({ method, path, owner })

  test('holds for one request, as it was signed, that was passed on', async () => {
    const { owner } = await startFleetScene({ auth: { tokens: TOKENS } })
    const path = '/v1/leases'
    const nowMs = Date.now()
    const ask = async (word: string, more: Record<string, string | undefined> = {}, at = path) => {
      const own = { [CALLER_HEADER]: word, [FORWARDED_HEADER]: 'other', ...more }
      const set = Object.entries(own).filter(([, value]) => value !== undefined) as [string, string][]
      const answer = await owner.api.as(null).get(at, { headers: Object.fromEntries(set) })
      if (answer.status === 401) expect(problemOf(answer)).toMatchObject({ code: 'unauthorized' })
      return answer.status
    }
    const good = callerWord(FLEET_SECRET, 'alice', call(path), nowMs)
    expect(await ask(good)).toBe(200)
    expect(await ask(good), 'again').toBe(401)
    const fresh = (): string => callerWord(FLEET_SECRET, 'alice', call(path), Date.now())
    expect(await ask(fresh(), {}, '/v1/stats'), 'for another path').toBe(401)
    expect(await ask(fresh(), {}, `${path}?a=1`), 'for another query').toBe(401)
    expect(await ask(fresh(), { [FORWARDED_HEADER]: undefined }), 'not passed on').toBe(401)
    expect(await ask(fresh(), { authorization: 'Bearer the-token-of-bob' }), 'and a token').toBe(401)
    const forged = {
      'by another secret': callerWord(`${FLEET_SECRET}.`, 'alice', call(path), nowMs),
      'for another method': callerWord(FLEET_SECRET, 'alice', call(path, { method: 'POST' }), nowMs),
      'for another instance': callerWord(FLEET_SECRET, 'alice', call(path, { owner: 'third' }), nowMs),
      'of a while ago': callerWord(FLEET_SECRET, 'alice', call(path), nowMs - 31_000),
      'of a time to come': callerWord(FLEET_SECRET, 'alice', call(path), nowMs + 40_000),
      'on somebody unknown': callerWord(FLEET_SECRET, 'nobody', call(path), nowMs),
      'on another tenant': fresh().replace(/^v1\.[\w-]+/, `v1.${Buffer.from('ops').toString('base64url')}`),
      'cut off': fresh().slice(0, -1),
      'of nothing': 'x',
    }
    for (const [what, word] of Object.entries(forged)) expect.soft(await ask(word), what).toBe(401)
    expect(await ask(fresh())).toBe(200)
  })

  test('that a caller sends is never passed on', async () => {
    const { leased, other, owner } = await startFleetScene({})
    const { lease } = await leased()
    const before = owner.log.requests.length
    const headers = { [CALLER_HEADER]: 'v1.b3Bz.1.a.b' }
    expect((await other.api.get(lease.path, { headers })).status).toBe(401)
    expect(owner.log.requests).toHaveLength(before)
  })

  test('is not needed where nobody is asked who calls, and does not hold if it is forged', async () => {
    const { leased, other, owner } = await startFleetScene({ auth: null })
    const { lease } = await leased()
    const seen: IncomingMessage['headers'][] = []
    owner.app.server.on('request', ({ headers }: IncomingMessage) => void seen.push(headers))
    expect((await lease.look()).status).toBe(200)
    expect(seen).toMatchObject([{ [FORWARDED_HEADER]: 'other' }])
    expect(seen[0]).not.toHaveProperty(CALLER_HEADER)
    expect((await other.api.get(lease.path, { headers: { [CALLER_HEADER]: 'x' } })).status).toBe(401)
  })
})
