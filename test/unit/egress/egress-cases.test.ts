/**
 * Every case of the fixture against the rule `*`. Strings are hosts on port 443. Objects are what a client
 * sends as `target`: those of a host and a port alone are judged here, those with further fields are refused
 * by the closed schema of the HTTP layer.
 */
import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SockpoolError } from '../../../src/base/errors.ts'
import { EgressRules } from '../../../src/egress/egress-rules.ts'
import { judge } from '../../../src/egress/judge.ts'
import { localAddresses } from '../../../src/egress/local-addresses.ts'
import { Resolver } from '../../../src/egress/resolver.ts'
import { classify } from '../../../src/egress/special-range.ts'
import { type DnsServer, startDnsServer } from '../../support/dns-server.ts'

type ObjectCase = { readonly [field: string]: unknown }
type Cases = { readonly deny: ReadonlyArray<string | ObjectCase>; readonly allow: readonly string[] }

const OWN_PORT = 17_070
const cases: Cases = JSON.parse(
  readFileSync(new URL('../../fixtures/egress-cases.json', import.meta.url), 'utf8'),
)
const hosts = cases.deny.filter(each => typeof each === 'string')
const objects = cases.deny.filter(each => typeof each !== 'string')
const isWithoutMore = (target: ObjectCase): boolean =>
  Object.keys(target).every(key => key === 'host' || key === 'port')
const ownAddress =
  Object.values(networkInterfaces())
    .flatMap(list => list ?? [])
    .find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.1'
const rules = new EgressRules(
  ['*'],
  [...localAddresses(), { address: '0.0.0.0', port: OWN_PORT }, { address: '::', port: OWN_PORT }],
)

let server: DnsServer
let resolver: Resolver

beforeAll(async () => {
  server = await startDnsServer({ ownAddress })
  resolver = new Resolver({ servers: [server.address], queryTimeoutMs: 2_000, tries: 1 })
})
afterAll(async () => {
  resolver.close()
  await server.close()
})

/** What became of a target: the addresses that may be dialled, or the code of the refusal. */
async function outcomeOf(host: unknown, port: unknown, access: EgressRules = rules): Promise<string> {
  const target = { host, port, authority: { kind: 'rules', rules: access } } as Parameters<typeof judge>[0]
  try {
    const addresses = await judge(target, resolver)
    return addresses.map(address => `${address.text} (${classify(address)})`).join(', ')
  } catch (error) {
    if (!(error instanceof SockpoolError)) throw error
    if (error.code === 'INVALID_REQUEST') expect(error.errors?.[0]?.path).toMatch(/^(host|port)$/)
    return error.code
  }
}

/** Names that are refused because nobody has an address for them. */
const UNRESOLVED = /^(delay-30s|search|nodata|servfail)\b.*\.dns\.test$/

describe('egress cases', () => {
  test('egress cases are as many as promised, and no two alike', () => {
    expect(cases.deny.length).toBeGreaterThanOrEqual(180)
    expect(cases.allow.length).toBeGreaterThanOrEqual(22)
    expect(new Set([...cases.deny, ...cases.allow].map(each => JSON.stringify(each))).size).toBe(
      cases.deny.length + cases.allow.length,
    )
  })

  test.each(hosts.filter(host => !host.includes('then-')))('judge refuses the host %j', async host => {
    const before = server.questions.length
    const outcome = await outcomeOf(host, 443)
    expect(outcome).toMatch(UNRESOLVED.test(host) ? /^DNS_FAILED$/ : /^(INVALID_REQUEST|TARGET_DENIED)$/)
    if (outcome === 'INVALID_REQUEST') expect(server.questions).toHaveLength(before)
  })

  test.each(hosts.filter(host => host.includes('then-')))(
    'judge refuses %j at the second ask',
    async host => {
      expect(await outcomeOf(host, 443)).toMatch(/^(8\.8\.8\.8 \(public\)|TARGET_DENIED)$/)
      expect(await outcomeOf(host, 443)).toBe('TARGET_DENIED')
      expect(await outcomeOf(host, 443)).toBe('TARGET_DENIED')
    },
  )

  test.each(cases.allow)('judge passes the host %j', async host => {
    const outcome = await outcomeOf(host, 443)
    expect(outcome).toMatch(/^\S+ \(public\)(, \S+ \(public\))*$/)
  })

  test.each(objects.filter(isWithoutMore).map(target => [JSON.stringify(target), target] as const))(
    'judge refuses the target %s',
    async (_title, { host, port }) => {
      const actualHost = host === '{{own-interface-address}}' ? ownAddress : host
      const actualPort = port === '{{own-port}}' ? OWN_PORT : port
      expect(await outcomeOf(actualHost, actualPort)).toMatch(/^(INVALID_REQUEST|TARGET_DENIED)$/)
      // Even where rules open the loopback and the interfaces, our own port stays shut.
      const wide = new EgressRules(
        ['*', '127.0.0.0/8', '0.0.0.0/8', '10.0.0.0/8', '::/128'],
        rules.data().denied,
      )
      if (port === '{{own-port}}') expect(await outcomeOf(actualHost, actualPort, wide)).toBe('TARGET_DENIED')
    },
  )

  test('egress cases leave to the HTTP layer only what has a field too many', () => {
    const rest = objects.filter(target => !isWithoutMore(target))
    expect(rest.length).toBeGreaterThan(10)
    for (const target of rest) expect(target).toMatchObject({ host: '8.8.8.8', port: 443 })
  })
})
