/**
 * The classification against IANA's registries by other code: the rows are written here as the registries
 * have them, an address is a BigInt, and nothing of the judged module but `addressOf` and `classify` is used.
 * A row counts whether or not it is "globally reachable": what has a special purpose is not dialled for others.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { addressOf } from '../../src/egress/address.ts'
import { classify } from '../../src/egress/special-range.ts'

/** IPv4 Special-Purpose Address Registry. */
const SPECIAL_4 = [
  ['0.0.0.0/8', 'This network'],
  ['0.0.0.0/32', 'This host on this network'],
  ['10.0.0.0/8', 'Private-Use'],
  ['100.64.0.0/10', 'Shared Address Space'],
  ['127.0.0.0/8', 'Loopback'],
  ['169.254.0.0/16', 'Link Local'],
  ['172.16.0.0/12', 'Private-Use'],
  ['192.0.0.0/24', 'IETF Protocol Assignments'],
  ['192.0.0.0/29', 'IPv4 Service Continuity Prefix'],
  ['192.0.0.8/32', 'IPv4 dummy address'],
  ['192.0.0.9/32', 'Port Control Protocol Anycast'],
  ['192.0.0.10/32', 'Traversal Using Relays around NAT Anycast'],
  ['192.0.0.170/32', 'NAT64/DNS64 Discovery'],
  ['192.0.0.171/32', 'NAT64/DNS64 Discovery'],
  ['192.0.2.0/24', 'Documentation (TEST-NET-1)'],
  ['192.31.196.0/24', 'AS112-v4'],
  ['192.52.193.0/24', 'AMT'],
  ['192.88.99.0/24', 'Deprecated (6to4 Relay Anycast)'],
  ['192.168.0.0/16', 'Private-Use'],
  ['192.175.48.0/24', 'Direct Delegation AS112 Service'],
  ['198.18.0.0/15', 'Benchmarking'],
  ['198.51.100.0/24', 'Documentation (TEST-NET-2)'],
  ['203.0.113.0/24', 'Documentation (TEST-NET-3)'],
  ['240.0.0.0/4', 'Reserved'],
  ['255.255.255.255/32', 'Limited Broadcast'],
  // From the IPv4 address space registry, and one host address that a cloud keeps for itself.
  ['224.0.0.0/4', 'Multicast'],
  ['168.63.129.16/32', 'Host service of a cloud'],
] as const

/** IPv6 Special-Purpose Address Registry, less the IPv4-mapped row: those are judged as IPv4. */
const SPECIAL_6 = [
  ['::1/128', 'Loopback Address'],
  ['::/128', 'Unspecified Address'],
  ['64:ff9b::/96', 'IPv4-IPv6 Translat.'],
  ['64:ff9b:1::/48', 'IPv4-IPv6 Translat.'],
  ['100::/64', 'Discard-Only Address Block'],
  ['100:0:0:1::/64', 'Dummy IPv6 Prefix'],
  ['2001::/23', 'IETF Protocol Assignments'],
  ['2001::/32', 'TEREDO'],
  ['2001:1::1/128', 'Port Control Protocol Anycast'],
  ['2001:1::2/128', 'Traversal Using Relays around NAT Anycast'],
  ['2001:1::3/128', 'DNS-SD Service Registration Protocol Anycast'],
  ['2001:2::/48', 'Benchmarking'],
  ['2001:3::/32', 'AMT'],
  ['2001:4:112::/48', 'AS112-v6'],
  ['2001:10::/28', 'Deprecated (previously ORCHID)'],
  ['2001:20::/28', 'ORCHIDv2'],
  ['2001:30::/28', 'Drone Remote ID Protocol Entity Tags'],
  ['2001:db8::/32', 'Documentation'],
  ['2002::/16', '6to4'],
  ['2620:4f:8000::/48', 'Direct Delegation AS112 Service'],
  ['3fff::/20', 'Documentation'],
  ['5f00::/16', 'Segment Routing (SRv6) SIDs'],
  ['fc00::/7', 'Unique-Local'],
  ['fe80::/10', 'Link-Local Unicast'],
] as const

/** IPv6 address space registry: what is not this block is not global unicast. */
const GLOBAL_UNICAST = '2000::/3'
const MAPPED = '::ffff:0:0/96'

type Block = { readonly first: bigint; readonly last: bigint }

function number4(text: string): bigint {
  return text.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n)
}

function number6(text: string): bigint {
  const [head = '', tail] = text.split('::')
  const front = head === '' ? [] : head.split(':')
  const back = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = Array<string>(8 - front.length - back.length).fill('0')
  return [...front, ...zeros, ...back].reduce((sum, group) => sum * 65_536n + BigInt(`0x${group}`), 0n)
}

function blockOf(text: string, bits: number): Block {
  const [base = '', prefix] = text.split('/')
  const first = bits === 32 ? number4(base) : number6(base)
  return { first, last: first + 2n ** BigInt(bits - Number(prefix)) - 1n }
}

const blocks4 = SPECIAL_4.map(([text]) => blockOf(text, 32))
const blocks6 = SPECIAL_6.map(([text]) => blockOf(text, 128))
const globalUnicast = blockOf(GLOBAL_UNICAST, 128)
const mapped = blockOf(MAPPED, 128)

const isIn = (value: bigint, { first, last }: Block): boolean => first <= value && value <= last

function isPublic4(value: bigint): boolean {
  return !blocks4.some(block => isIn(value, block))
}

function isPublic6(value: bigint): boolean {
  if (isIn(value, mapped)) return isPublic4(value - mapped.first)
  return isIn(value, globalUnicast) && !blocks6.some(block => isIn(value, block))
}

function bytesOf(value: bigint, length: number): Uint8Array {
  return Uint8Array.from(Buffer.from(value.toString(16).padStart(length * 2, '0'), 'hex'))
}

/** The text of the first address that the two disagree about, or null. */
function disagreement(values: Iterable<bigint>, length: 4 | 16): string | null {
  const isPublic = length === 4 ? isPublic4 : isPublic6
  const end = 2n ** BigInt(length * 8)
  for (const value of values) {
    if (value < 0n || value >= end) continue
    const address = addressOf(bytesOf(value, length))
    if ((classify(address) === 'public') !== isPublic(value)) return address.text
  }
  return null
}

function* strides(step: bigint, end: bigint): Generator<bigint> {
  for (let value = 0n; value < end; value += step) yield value
}

function* edges(blocks: readonly Block[]): Generator<bigint> {
  for (const { first, last } of blocks) yield* [first - 1n, first, first + 1n, last - 1n, last, last + 1n]
}

/** Both edges of every aligned block of every length that a special prefix lies in or beside. */
function* prefixEdges(blocks: readonly Block[]): Generator<bigint> {
  for (const { first, last } of blocks)
    for (let bit = 0n; bit < 128n; bit += 1n)
      for (const edge of [first, last])
        yield* [edge ^ (1n << bit), (edge >> bit) << bit, edge | ((1n << bit) - 1n)]
}

describe('classify against the registries', () => {
  test('classify agrees with them over strides of all IPv4', () => {
    // A prime step, so that the low bytes take every value.
    expect(disagreement(strides(4_093n, 2n ** 32n), 4)).toBeNull()
  })

  test('classify agrees with them on one address of every /16 and both its ends', () => {
    const ends = Array.from({ length: 65_536 }, (_, high) => BigInt(high) * 65_536n)
    expect(
      disagreement(
        ends.flatMap(first => [first, first + 65_535n]),
        4,
      ),
    ).toBeNull()
  })

  test('classify agrees with them at every edge of a block of IPv4', () => {
    expect(disagreement(edges(blocks4), 4)).toBeNull()
  })

  test('classify agrees with them at every edge of a block of IPv6', () => {
    expect(disagreement(edges([...blocks6, globalUnicast, mapped]), 16)).toBeNull()
    expect(disagreement(prefixEdges([...blocks6, globalUnicast, mapped]), 16)).toBeNull()
  })

  test('classify agrees with them on every /16 of IPv6', () => {
    const starts = Array.from({ length: 65_536 }, (_, high) => BigInt(high) << 112n)
    expect(
      disagreement(
        starts.flatMap(first => [first, first + 1n, first + (1n << 112n) - 1n]),
        16,
      ),
    ).toBeNull()
  })

  test('classify agrees with them on every IPv4 edge written as IPv6', () => {
    expect(
      disagreement(
        [...edges(blocks4)].map(value => mapped.first + value),
        16,
      ),
    ).toBeNull()
  })

  test('classify agrees with them on any IPv6 address', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 2n ** 128n - 1n), value => disagreement([value], 16) === null),
      { numRuns: 20_000 },
    )
    fc.assert(
      fc.property(
        fc.bigInt(globalUnicast.first, globalUnicast.last),
        value => disagreement([value], 16) === null,
      ),
      { numRuns: 20_000 },
    )
  })

  test('classify disagrees with a table that lacks a row', () => {
    // The comparison itself can fail: a row of ours that the registries did not have would be found.
    const removed = blocks4.splice(2, 1)
    expect(disagreement(edges(removed), 4)).not.toBeNull()
    blocks4.splice(2, 0, ...removed)
    expect(disagreement(edges(removed), 4)).toBeNull()
  })
})
