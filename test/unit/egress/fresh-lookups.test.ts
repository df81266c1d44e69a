/** A name that is looked up again, by a DNS server of the test's own and a system that the test plays. */
import { expect, onTestFinished, test } from 'vitest'
import { parseAddress } from '../../../src/egress/address.ts'
import { FreshLookups } from '../../../src/egress/fresh-lookups.ts'
import { HostsAndDns } from '../../../src/egress/hosts-and-dns.ts'
import { type DnsServer, startDnsServer } from '../../support/dns-server.ts'

type Played = {
  readonly dns: DnsServer
  /** Names that the system was asked for. */
  readonly asked: readonly string[]
  lookUp(name: string, ...known: readonly string[]): Promise<object>
}

/** `system`: the addresses by which it knows every name; none: it fails. */
async function played(...system: readonly string[]): Promise<Played> {
  const dns = await startDnsServer()
  onTestFinished(() => dns.close())
  const own = new HostsAndDns([dns.address])
  onTestFinished(() => own.close())
  const asked: string[] = []
  const fresh = new FreshLookups({
    ask: name => own.find(name),
    askSystem: async name => {
      asked.push(name)
      if (system.length === 0) throw new Error('the system knows nothing')
      return system.flatMap(text => parseAddress(text) ?? [])
    },
  })
  const lookUp = async (name: string, ...known: readonly string[]): Promise<object> => {
    const { addresses, ...more } = await fresh.lookUp(name, known, AbortSignal.timeout(10_000))
    return { addresses: addresses.map(({ text }) => text).sort(), ...more }
  }
  return { dns, asked, lookUp }
}

test('FreshLookups tells what the DNS says and how long it counts, and asks the system for nothing', async () => {
  const { asked, lookUp } = await played()
  const found = await lookUp('a-10-0-0-1.a-10-0-0-2.aaaa-fd00--1.ttl-7.dns.test', '10.0.0.1', 'fd00::1')
  expect(found).toEqual({ addresses: ['10.0.0.1', '10.0.0.2', 'fd00::1'], families: [6, 4], ttlMs: 7_000 })
  expect(asked).toEqual([])
})

test('FreshLookups asks anew each time, whatever the time to live', async () => {
  const { dns, lookUp } = await played()
  const name = 'a-10-0-0-1.then-10-0-0-2.ttl-600.dns.test'
  expect(await lookUp(name)).toMatchObject({ addresses: ['10.0.0.1'] })
  expect(await lookUp(name)).toMatchObject({ addresses: ['10.0.0.2'] })
  expect(dns.questions.filter(question => question.startsWith('A '))).toHaveLength(2)
})

test('FreshLookups asks the system as well where the DNS misses an address, and both count', async () => {
  const { asked, lookUp } = await played('10.0.0.9')
  const found = await lookUp('a-10-0-0-1.ttl-3.dns.test', '10.0.0.8')
  expect(found).toEqual({ addresses: ['10.0.0.1', '10.0.0.9'], families: [6, 4], ttlMs: 3_000 })
  expect(asked).toHaveLength(1)
})

test('FreshLookups knows nothing of a family that did not answer', async () => {
  const { asked, lookUp } = await played()
  const found = await lookUp('a-10-0-0-1.a6fail.dns.test', '10.0.0.1', 'fd00::1')
  expect(found).toMatchObject({ addresses: ['10.0.0.1'], families: [4] })
  expect(asked).toEqual([])
})

test('FreshLookups goes by the system alone where the DNS has no answer', async () => {
  const { lookUp } = await played('10.0.0.9')
  expect(await lookUp('none.elsewhere.test', '10.0.0.9')).toEqual({
    addresses: ['10.0.0.9'],
    families: [4, 6],
    ttlMs: null,
  })
})

test('FreshLookups fails where neither knows the name, and where the system cannot confirm a loss', async () => {
  const { lookUp } = await played()
  await expect(lookUp('none.elsewhere.test')).rejects.toThrow('the system knows nothing')
  await expect(lookUp('a-10-0-0-1.dns.test', '10.0.0.8')).rejects.toThrow('the system knows nothing')
})

test('FreshLookups takes what the hosts file says without a time', async () => {
  const { lookUp } = await played()
  expect(await lookUp('localhost', '127.0.0.1')).toMatchObject({ families: [4, 6], ttlMs: null })
})
