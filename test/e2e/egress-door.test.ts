/**
 * Every target that must not be dialled, through each door that takes one: the HTTP API and the library. Refused
 * means refused before any packet: the count of connects stays where it was.
 */
import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { SockpoolError } from '../../src/base/errors.ts'
import { EgressRules } from '../../src/egress/egress-rules.ts'
import { admit } from '../../src/egress/judge.ts'
import { createPool } from '../../src/library/create-pool.ts'
import type { Pool } from '../../src/pool/pool.ts'
import { afterFile } from '../support/after-file.ts'
import { type DnsServer, startDnsServer } from '../support/dns-server.ts'
import { dialledBy, type ServiceFixture, startServiceFixture } from '../support/service-fixture.ts'
import { startUpstream } from '../support/upstream.ts'
import { harness } from '../unit/http/fakes.ts'

type Target = Readonly<Record<string, unknown>>
type Cases = { readonly deny: readonly (string | Target)[]; readonly allow: readonly string[] }

const cases: Cases = JSON.parse(
  readFileSync(new URL('../fixtures/egress-cases.json', import.meta.url), 'utf8'),
)
/** Names whose first answer is public are dialled at the first ask: egress-rebinding.test.ts has a network for them. */
const denied = cases.deny.filter(each => typeof each !== 'string' || !/a-8-8-8-8.*then-/.test(each))
/** Names that are refused because nobody has an address for them. */
const UNRESOLVED = /^(delay-30s|search|nodata|servfail)\b.*\.dns\.test$/
const ownAddress =
  Object.values(networkInterfaces())
    .flatMap(list => list ?? [])
    .find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.1'

let dns: DnsServer
let service: ServiceFixture
let pool: Pool

beforeAll(async () => {
  dns = await startDnsServer({ ownAddress })
  afterFile(() => dns.close())
  const egress = { allow: ['*'], dnsServers: [dns.address] }
  service = await startServiceFixture({ config: { egress }, finally: afterFile })
  pool = await createPool({ egress })
  afterFile(() => pool.close())
})

/** A case as a client sends it, with the real values in their places. */
function targetOf(each: string | Target): Target {
  if (typeof each === 'string') return { host: each, port: 443 }
  const values: Readonly<Record<string, unknown>> = {
    '{{own-port}}': service.port,
    '{{own-interface-address}}': ownAddress,
  }
  // Through JSON, so that an own `__proto__` stays one.
  return JSON.parse(JSON.stringify(each), (_key, value: unknown) =>
    typeof value === 'string' && Object.hasOwn(values, value) ? values[value] : value,
  )
}

function expected(each: string | Target): RegExp {
  return typeof each === 'string' && UNRESOLVED.test(each)
    ? /^502 dns_failed$/
    : /^(403 target_denied|400 invalid_request target|400 invalid_request body)/
}

async function inTurns<T>(list: readonly T[], width: number, run: (item: T) => Promise<void>): Promise<void> {
  const left = [...list].reverse()
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (let item = left.pop(); item !== undefined; item = left.pop()) await run(item)
    }),
  )
}

async function askOver(path: string, body: object): Promise<string> {
  const { status, text } = await service.api.post(path, { json: body })
  const { code, errors } = JSON.parse(text) as { code?: string; errors?: { path: string }[] }
  return [status, code, ...(errors ?? []).map(error => error.path)].join(' ')
}

describe('a target that must not be dialled', () => {
  test('is refused over HTTP, for a lease and for an exchange, and nothing is dialled', async () => {
    const before = await dialledBy(service.api)
    const wrong: string[] = []
    await inTurns(denied, 16, async each => {
      const target = targetOf(each)
      const exchange = { target, write: { text: 'x' }, read: 'line' }
      for (const [path, body] of [
        ['/v1/leases', { target }],
        ['/v1/exchange', exchange],
      ] as const) {
        const answer = await askOver(path, body)
        if (!expected(each).test(answer)) wrong.push(`${path} ${JSON.stringify(each)}: ${answer}`)
      }
    })
    expect(wrong).toEqual([])
    expect(await dialledBy(service.api)).toBe(before)
    expect((await service.api.get('/v1/stats')).text).toContain('"leases":0')
  })

  test('is refused by the library, and nothing is dialled', async () => {
    const wrong: string[] = []
    // Waiting for a late answer is the resolver's; the test above has waited once.
    const prompt = denied.filter(each => !String(each).startsWith('delay-'))
    await inTurns(prompt, 16, async each => {
      // A library caller gives any object; types are no defence.
      const target = targetOf(each) as { host: string; port: number }
      const outcome = await pool.lease(target).then(
        () => 'leased',
        (error: unknown) => (error instanceof SockpoolError ? error.code : String(error)),
      )
      const isUnresolved = typeof each === 'string' && UNRESOLVED.test(each)
      if (!(isUnresolved ? /^DNS_FAILED$/ : /^(TARGET_DENIED|INVALID_REQUEST)$/).test(outcome))
        wrong.push(`${JSON.stringify(each)}: ${outcome}`)
    })
    expect(wrong).toEqual([])
    const rows = (await pool.workers()) as readonly { readonly dialled?: number }[]
    expect(rows.map(({ dialled }) => dialled)).toEqual([0])
  })

  test.each([
    ['127.0.0.1:0', ['127.0.0.1', '::ffff:127.0.0.1']],
    ['0.0.0.0:0', ['127.0.0.1', '127.9.9.9', '::ffff:127.0.0.1', '0.0.0.0', ownAddress]],
  ])('is our own port, whatever a rule opens, at %s', async (listen, hosts) => {
    const upstream = await startUpstream()
    onTestFinished(() => upstream.close())
    const allow = ['127.0.0.0/8', '0.0.0.0/8', '*', `${ownAddress}/32`]
    const wide = await startServiceFixture({
      config: { listen, egress: { allow }, limits: { drainTimeout: 0 } },
      finally: onTestFinished,
    })
    for (const host of hosts) {
      const answer = await wide.api.post('/v1/leases', { json: { target: { host, port: wide.port } } })
      expect([host, answer.status]).toEqual([host, 403])
    }
    expect(await dialledBy(wide.api)).toBe(0)
    // The rule itself holds: another port of the same address is dialled.
    const { host, port } = upstream
    const open = await wide.api.post('/v1/leases', { json: { target: { host, port } } })
    expect(open.status, open.text).toBe(201)
    expect(await dialledBy(wide.api)).toBe(1)
  })

  test('tells by its answer nothing of why it was refused', async () => {
    const texts = new Set<string>()
    for (const host of ['127.0.0.1', '10.0.0.1', '169.254.169.254', 'a-10-0-0-1.dns.test', ownAddress]) {
      const { text } = await service.api.post('/v1/leases', { json: { target: { host, port: 443 } } })
      const { requestId: _, ...problem } = JSON.parse(text)
      texts.add(JSON.stringify(problem))
    }
    expect([...texts]).toHaveLength(1)
  })

  test('is every described one where no rule is', async () => {
    const closed = await startServiceFixture({ finally: onTestFinished })
    for (const host of ['8.8.8.8', 'example.com', '127.0.0.1', '2606:4700:4700::1111'])
      expect((await closed.api.post('/v1/leases', { json: { target: { host, port: 443 } } })).status).toBe(
        403,
      )
    expect(await dialledBy(closed.api)).toBe(0)
  })
})

describe('a target that may be dialled', () => {
  const rules = new EgressRules(['*'])

  test.each(cases.allow)('%j passes the schema of the API and the early verdict', async host => {
    const { send, pool: fake } = harness()
    const target = { host, port: 443 }
    expect((await send({ method: 'POST', url: '/v1/leases', payload: { target } })).statusCode).toBe(201)
    expect(fake.targetsLeased).toEqual([target])
    expect(() => admit({ ...target, authority: { kind: 'rules', rules } })).not.toThrow()
  })
})
