/**
 * The addresses that are not the public internet, as tables. IPv4 is public unless a row holds it. IPv6 is
 * the other way round: only 2000::/3 is public, minus the rows inside it; the rest of its space is here as
 * named blocks and, behind them, as unallocated ones, so that every refused address has a block that a rule
 * of the operator can lie in. Rows stand from the narrow to the wide: the first that holds an address names it.
 */
import { type Address, addressOf } from './address.ts'
import { Cidr } from './cidr.ts'

export type SpecialRangeName =
  | 'this_network'
  | 'loopback'
  | 'private'
  | 'shared'
  | 'link_local'
  | 'protocol_assignments'
  | 'documentation'
  | 'as112'
  | 'amt'
  | 'relay_6to4'
  | 'benchmarking'
  | 'cloud_host'
  | 'multicast'
  | 'reserved'
  | 'unspecified'
  | 'ipv4_compatible'
  | 'ipv4_translated'
  | 'nat64'
  | 'nat64_local'
  | 'discard'
  | 'segment_routing'
  | 'unique_local'
  | 'site_local'
  | 'tunnel_6to4'
  | 'unallocated'

export type SpecialRange = { readonly name: SpecialRangeName; readonly block: Cidr }

const IPV4: readonly SpecialRange[] = [
  row('this_network', '0.0.0.0/8'),
  row('private', '10.0.0.0/8'),
  row('shared', '100.64.0.0/10'),
  row('loopback', '127.0.0.0/8'),
  row('cloud_host', '168.63.129.16/32'),
  row('link_local', '169.254.0.0/16'),
  row('private', '172.16.0.0/12'),
  row('protocol_assignments', '192.0.0.0/24'),
  row('documentation', '192.0.2.0/24'),
  row('as112', '192.31.196.0/24'),
  row('amt', '192.52.193.0/24'),
  row('relay_6to4', '192.88.99.0/24'),
  row('private', '192.168.0.0/16'),
  row('as112', '192.175.48.0/24'),
  row('benchmarking', '198.18.0.0/15'),
  row('documentation', '198.51.100.0/24'),
  row('documentation', '203.0.113.0/24'),
  row('multicast', '224.0.0.0/4'),
  row('reserved', '240.0.0.0/4'),
]

const IPV6: readonly SpecialRange[] = [
  row('unspecified', '::/128'),
  row('loopback', '::1/128'),
  row('ipv4_compatible', '::/96'),
  row('ipv4_translated', '::ffff:0:0:0/96'),
  row('nat64', '64:ff9b::/96'),
  row('nat64_local', '64:ff9b:1::/48'),
  row('discard', '100::/64'),
  row('discard', '100:0:0:1::/64'),
  row('protocol_assignments', '2001::/23'),
  row('documentation', '2001:db8::/32'),
  row('tunnel_6to4', '2002::/16'),
  row('as112', '2620:4f:8000::/48'),
  row('documentation', '3fff::/20'),
  row('segment_routing', '5f00::/16'),
  row('unique_local', 'fc00::/7'),
  row('link_local', 'fe80::/10'),
  row('site_local', 'fec0::/10'),
  row('multicast', 'ff00::/8'),
  row('unallocated', '::/3'),
  row('unallocated', '4000::/2'),
  row('unallocated', '8000::/1'),
]

/** The special range that holds the address; undefined where it is public. */
export function specialRangeOf(address: Address): SpecialRange | undefined {
  const table = address.family === 4 ? IPV4 : IPV6
  return table.find(range => range.block.contains(address))
}

/** What kind of address it is: `public`, or the name of its special range. */
export function classify(address: Address): 'public' | SpecialRangeName {
  return specialRangeOf(address)?.name ?? 'public'
}

/** The IPv4 address that a NAT64 gateway would dial for an address of its well-known prefix. */
export function nat64Target(address: Address): Address {
  return addressOf(address.bytes.subarray(12))
}

function row(name: SpecialRangeName, block: string): SpecialRange {
  return { name, block: Cidr.parse(block) }
}
