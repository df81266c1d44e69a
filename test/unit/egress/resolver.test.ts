import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { SockpoolError } from '../../../src/base/errors.ts'
import { LIMITS } from '../../../src/base/limits.ts'
import { type Address, addressOf } from '../../../src/egress/address.ts'
import { Resolver, type ResolverOptions } from '../../../src/egress/resolver.ts'
import { type DnsServer, startDnsServer } from '../../support/dns-server.ts'

let server: DnsServer
const open: Resolver[] = []

beforeAll(async () => {
  server = await startDnsServer()
})
afterEach(() => {
  for (const resolver of open.splice(0)) resolver.close()
})
afterAll(() => server.close())

function resolverOf(options: ResolverOptions = {}): Resolver {
  const resolver = new Resolver({ servers: [server.address], ...options })
  open.push(resolver)
  return resolver
}

function texts(addresses: readonly Address[]): readonly string[] {
  return addresses.map(address => address.text)
}

function askedFor(name: string): number {
  return server.questions.filter(question => question.toLowerCase().endsWith(` ${name}`)).length
}

describe('Resolver by DNS', () => {
  test('Resolver gives the addresses of both families, taking turns', async () => {
    const found = await resolverOf().resolveByDns('a-8-8-8-8.a-8-8-4-4.aaaa-2606-4700--1.dns.test')
    const sorted = [...texts(found)].sort()
    expect(sorted).toEqual(['2606:4700::1', '8.8.4.4', '8.8.8.8'])
    expect(found[0]?.family).toBe(6)
  })

  test('Resolver gives one family where the other has nothing or fails', async () => {
    const resolver = resolverOf()
    expect(texts(await resolver.resolveByDns('a-8-8-8-8.dns.test'))).toEqual(['8.8.8.8'])
    expect(texts(await resolver.resolveByDns('aaaa-2606-4700--1.dns.test'))).toEqual(['2606:4700::1'])
    expect(texts(await resolver.resolveByDns('a-8-8-8-8.a6fail.dns.test'))).toEqual(['8.8.8.8'])
  })

  test('Resolver unwraps an IPv4 address from an AAAA record', async () => {
    expect(texts(await resolverOf().resolveByDns('aaaa---ffff-a00-1.dns.test'))).toEqual(['10.0.0.1'])
  })

  test('Resolver follows the CNAMEs of one answer', async () => {
    const resolver = resolverOf()
    expect(texts(await resolver.resolveByDns('chain-5.a-8-8-8-8.dns.test'))).toEqual(['8.8.8.8'])
    expect([...texts(await resolver.resolveByDns('cname-localhost.dns.test'))].sort()).toEqual([
      '127.0.0.1',
      '::1',
    ])
  })

  test('Resolver takes a long answer over TCP, whole', async () => {
    expect(await resolverOf().resolveByDns('many-1000.dns.test')).toHaveLength(1000)
  })

  test('Resolver asks the name as it stands, without any search domain', async () => {
    await expect(resolverOf().resolveByDns('search.dns.test')).rejects.toMatchObject({ reason: 'ENOTFOUND' })
    expect(server.questions.filter(question => question.includes('search.dns.test.'))).toEqual([])
  })

  test('Resolver asks the servers for localhost too', async () => {
    const before = askedFor('localhost')
    expect([...texts(await resolverOf().resolveByDns('localhost'))].sort()).toEqual(['127.0.0.1', '::1'])
    expect(askedFor('localhost')).toBe(before + 2)
  })

  test('Resolver keeps no good answer, whatever its time to live', async () => {
    const resolver = resolverOf()
    const name = 'ttl-3600.a-8-8-8-8.then-10-0-0-1.dns.test'
    expect(texts(await resolver.resolveByDns(name))).toEqual(['8.8.8.8'])
    expect(texts(await resolver.resolveByDns(name))).toEqual(['10.0.0.1'])
  })

  test.each([
    ['absent.example', 'ENOTFOUND', false],
    ['nodata.dns.test', 'ENODATA', false],
    ['servfail.dns.test', 'ESERVFAIL', true],
    ['refused.dns.test', 'EREFUSED', true],
    ['a6fail.dns.test', 'ESERVFAIL', true],
  ])('Resolver fails for %s with %s', async (name, reason, retryable) => {
    const failure = resolverOf().resolveByDns(name)
    await expect(failure).rejects.toMatchObject({ code: 'DNS_FAILED', reason, retryable })
    await expect(failure).rejects.toBeInstanceOf(SockpoolError)
  })

  test('Resolver remembers a failure for a second and makes a fresh error each time', async () => {
    let now = 0
    const resolver = resolverOf({ now: () => now })
    const name = 'nodata.remembered.dns.test'
    const first = await resolver.resolveByDns(name).catch((error: unknown) => error)
    now = LIMITS.dnsNegativeMs - 1
    const second = await resolver.resolveByDns(name).catch((error: unknown) => error)
    expect(askedFor(name)).toBe(2)
    expect(second).toMatchObject({ code: 'DNS_FAILED', reason: 'ENODATA' })
    expect(second).not.toBe(first)
    now = LIMITS.dnsNegativeMs
    await expect(resolver.resolveByDns(name)).rejects.toMatchObject({ reason: 'ENODATA' })
    expect(askedFor(name)).toBe(4)
  })

  test('Resolver remembers no more failures than its bound', async () => {
    const resolver = resolverOf({ now: () => 0 })
    const names = Array.from({ length: LIMITS.dnsNegativeEntriesMax + 5 }, (_, n) => `n${n}.absent.example`)
    for (let from = 0; from < names.length; from += 32)
      await Promise.allSettled(names.slice(from, from + 32).map(name => resolver.resolveByDns(name)))
    expect(resolver.stats().negatives).toBe(LIMITS.dnsNegativeEntriesMax)
  })

  test('Resolver gives up on a silent server by its own tries', async () => {
    const resolver = resolverOf({ queryTimeoutMs: 50, tries: 1 })
    await expect(resolver.resolveByDns('silent.dns.test')).rejects.toMatchObject({
      code: 'DNS_FAILED',
      reason: 'ETIMEOUT',
      retryable: true,
    })
  })

  test('Resolver bounds a lookup as a whole', async () => {
    const resolver = resolverOf({ queryTimeoutMs: 60_000, lookupTimeoutMs: 30 })
    await expect(resolver.resolveByDns('delay-30s.a-8-8-8-8.dns.test')).rejects.toMatchObject({
      code: 'DNS_FAILED',
      reason: 'ETIMEOUT',
    })
  })

  test('Resolver heeds its signal, and holds the slot until the query is over', async () => {
    const resolver = resolverOf()
    const abort = new AbortController()
    const lookup = resolver.resolveByDns('silent.aborted.dns.test', { signal: abort.signal })
    abort.abort(new SockpoolError('CONNECT_TIMEOUT', 'the dial is over'))
    await expect(lookup).rejects.toMatchObject({ code: 'CONNECT_TIMEOUT' })
    expect(resolver.stats().active).toBe(1)
    await expect(
      resolver.resolveByDns('a-8-8-8-8.dns.test', { signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ code: 'ABORTED' })
    resolver.close()
    await new Promise(resolve => setImmediate(resolve))
    expect(resolver.stats().active).toBe(0)
    await expect(resolver.resolveByDns('a-8-8-8-8.dns.test')).rejects.toMatchObject({ reason: 'ECANCELLED' })
  })

  test('Resolver ends its waiters when it is closed', async () => {
    const resolver = resolverOf()
    const lookup = resolver.resolveByDns('silent.closed.dns.test')
    setImmediate(() => resolver.close())
    await expect(lookup).rejects.toMatchObject({ code: 'DNS_FAILED', reason: 'ECANCELLED' })
    expect(resolver.stats()).toMatchObject({ active: 0, asked: 1, failed: 1, negatives: 0 })
  })

  test('Resolver answers one tenant while the names of another lead nowhere', async () => {
    const resolver = resolverOf()
    const lost = Array.from({ length: 200 }, (_, n) =>
      resolver.resolveByDns(`silent.n${n}.dns.test`, { tenant: 'lost' }).catch(() => undefined),
    )
    expect(texts(await resolver.resolveByDns('a-8-8-8-8.dns.test', { tenant: 'quick' }))).toEqual(['8.8.8.8'])
    expect(resolver.stats()).toMatchObject({ active: LIMITS.dnsLookupsPerTenantMax, waiting: 168 })
    resolver.close()
    await Promise.all(lost)
    expect(resolver.stats()).toMatchObject({ active: 0, waiting: 0, failed: 200 })
  })

  test('Resolver gives the dials of one dead name one place, and leaves the tenant its others', async () => {
    const resolver = resolverOf()
    const lost = Array.from({ length: 200 }, () =>
      resolver.resolveByDns('silent.one.dns.test', { tenant: 'lost' }).catch(() => undefined),
    )
    expect(texts(await resolver.resolveByDns('a-8-8-8-8.dns.test', { tenant: 'lost' }))).toEqual(['8.8.8.8'])
    expect(resolver.stats()).toMatchObject({ active: 1, waiting: 0 })
    expect(askedFor('silent.one.dns.test')).toBe(2)
    resolver.close()
    await Promise.all(lost)
    expect(resolver.stats()).toMatchObject({ active: 0, waiting: 0, failed: 200 })
  })

  test('Resolver gives up the place of a name in the row when the last that waits for it has left', async () => {
    const resolver = resolverOf()
    const lost = Array.from({ length: LIMITS.dnsLookupsPerTenantMax }, (_, n) =>
      resolver.resolveByDns(`silent.row${n}.dns.test`).catch(() => undefined),
    )
    const [one, other] = [new AbortController(), new AbortController()]
    const waiting = [one, other].map(({ signal }) =>
      resolver.resolveByDns('a-8-8-4-4.row.dns.test', { signal }).catch(error => error.code),
    )
    expect(resolver.stats().waiting).toBe(1)
    one.abort()
    await new Promise(resolve => setImmediate(resolve))
    expect(resolver.stats().waiting).toBe(1)
    other.abort()
    expect(await Promise.all(waiting)).toEqual(['ABORTED', 'ABORTED'])
    expect(resolver.stats().waiting).toBe(0)
    expect(askedFor('a-8-8-4-4.row.dns.test')).toBe(0)
    resolver.close()
    await Promise.all(lost)
  })

  test('Resolver refuses a server it cannot read', () => {
    expect(() => new Resolver({ servers: ['dns.example'] })).toThrow(
      expect.objectContaining({
        code: 'INVALID_REQUEST',
        errors: [expect.objectContaining({ path: 'egress.dnsServers' })],
      }),
    )
  })

  test('Resolver retries nothing and says that a dead server refused', async () => {
    const gone = await startDnsServer()
    await gone.close()
    const resolver = resolverOf({ servers: [gone.address], queryTimeoutMs: 100, tries: 1 })
    await expect(resolver.resolveByDns('a-8-8-8-8.dns.test')).rejects.toMatchObject({
      code: 'DNS_FAILED',
      retryable: true,
    })
  })
})

describe('Resolver by system', () => {
  test('Resolver finds localhost where the system says it is', async () => {
    const found = texts(await resolverOf().resolveBySystem('localhost'))
    expect(found.some(text => text === '127.0.0.1' || text === '::1')).toBe(true)
  })

  test('Resolver shares one system lookup among those who wait for the same name', async () => {
    let calls = 0
    const { promise, resolve } = Promise.withResolvers<Array<{ address: string }>>()
    const systemLookup = (): Promise<Array<{ address: string }>> => {
      calls += 1
      return promise
    }
    const resolver = resolverOf({ systemLookup })
    const lookups = [1, 2, 3].map(() => resolver.resolveBySystem('db'))
    resolve([{ address: 'fe80::1%2' }, { address: '10.0.0.5' }])
    for (const found of await Promise.all(lookups)) expect(texts(found)).toEqual(['fe80::1%2', '10.0.0.5'])
    await resolver.resolveBySystem('db')
    expect(calls).toBe(2)
  })

  test('Resolver keeps the libuv pool for others', async () => {
    let running = 0
    let most = 0
    const systemLookup = async (): Promise<Array<{ address: string }>> => {
      running += 1
      most = Math.max(most, running)
      await new Promise(resolve => setImmediate(resolve))
      running -= 1
      return [{ address: '10.0.0.5' }]
    }
    const resolver = resolverOf({ systemLookup })
    await Promise.all(Array.from({ length: 20 }, (_, n) => resolver.resolveBySystem(`db${n}`)))
    expect(most).toBe(LIMITS.osLookupsMax)
  })

  /** A system that never answers for names that begin with `deaf`. */
  const deafSystem = async (name: string): Promise<Array<{ address: string }>> =>
    name.startsWith('deaf') ? await new Promise(() => {}) : [{ address: '10.0.0.5' }]

  test('Resolver asks for a name aside as soon as dead ones hold all threads, and takes the first address', async () => {
    const asked: string[] = []
    const resolver = resolverOf({
      systemLookup: deafSystem,
      lookupTimeoutMs: 60_000,
      asideLookup: async name => {
        asked.push(name)
        if (name.startsWith('deaf')) throw new Error('deaf here too')
        return [addressOf(Uint8Array.of(10, 0, 0, 6))]
      },
    })
    const stop = new AbortController()
    const deaf = Array.from({ length: 20 }, (_, n) =>
      resolver.resolveBySystem(`deaf${n}`, { signal: stop.signal }).catch(error => error),
    )
    expect(texts(await resolver.resolveBySystem('live'))).toEqual(['10.0.0.6'])
    expect(asked).toContain('live')
    stop.abort()
    for (const error of await Promise.all(deaf)) expect(error).toMatchObject({ code: 'ABORTED' })
  })

  test('Resolver lets dead names hold the threads for so long, and then gives their place to others', async () => {
    const resolver = resolverOf({
      systemLookup: deafSystem,
      asideLookup: () => Promise.reject(new Error('no DNS here')),
      lookupTimeoutMs: 5_000,
    })
    const deaf = [1, 2].map(n => resolver.resolveBySystem(`deaf${n}`).catch(error => error))
    expect(texts(await resolver.resolveBySystem('live'))).toEqual(['10.0.0.5'])
    void deaf
  })

  test('Resolver asks nobody but a system that answers in time', async () => {
    const asked: string[] = []
    const asideLookup = (name: string): Promise<never> => {
      asked.push(name)
      return Promise.reject(new Error('unasked'))
    }
    const resolver = resolverOf({ systemLookup: deafSystem, asideLookup })
    await resolver.resolveBySystem('live')
    await new Promise(resolve => setTimeout(resolve, LIMITS.osLookupPatienceMs + 20))
    expect(asked).toEqual([])
  })

  test.each([
    ['ENOTFOUND', false],
    ['EAI_AGAIN', true],
  ])('Resolver adopts %s of the system', async (code, retryable) => {
    const resolver = resolverOf({
      systemLookup: () => Promise.reject(Object.assign(new Error(code), { code })),
    })
    await expect(resolver.resolveBySystem('db')).rejects.toMatchObject({
      code: 'DNS_FAILED',
      reason: code,
      retryable,
    })
  })

  test('Resolver fails where the system has no address that can be dialled', async () => {
    const resolver = resolverOf({ systemLookup: () => Promise.resolve([{ address: '::1%lo' }]) })
    await expect(resolver.resolveBySystem('db')).rejects.toMatchObject({ reason: 'ENODATA' })
    const broken = resolverOf({ systemLookup: () => Promise.reject(new Error('no code')) })
    await expect(broken.resolveBySystem('db')).rejects.toMatchObject({ reason: 'EUNKNOWN' })
  })

  test('Resolver leaves a system lookup that its caller gave up', async () => {
    const { promise, reject } = Promise.withResolvers<Array<{ address: string }>>()
    const resolver = resolverOf({ systemLookup: () => promise, lookupTimeoutMs: 20 })
    const signal = AbortSignal.abort()
    await expect(resolver.resolveBySystem('db', { signal })).rejects.toMatchObject({ code: 'ABORTED' })
    await expect(resolver.resolveBySystem('db')).rejects.toMatchObject({
      code: 'DNS_FAILED',
      reason: 'ETIMEOUT',
    })
    reject(new Error('late, and heard by nobody'))
  })
})
