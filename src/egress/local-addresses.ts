/**
 * The addresses of this machine's interfaces as denials. They change while we run (DHCP, containers), so the
 * caller asks again at its own pace and hands the answer to `EgressRules.setDenied`.
 */
import { networkInterfaces } from 'node:os'
import type { Denied } from '../base/egress-data.ts'
import { type Address, parseAddress, withoutZone } from './address.ts'

/** One denial of every port for each address of each interface, loopback included. */
export function localAddresses(): readonly Denied[] {
  return Object.values(networkInterfaces())
    .flatMap(addresses => addresses ?? [])
    .flatMap(({ address }) => parseAddress(address) ?? [])
    .map(({ text }) => ({ address: text, port: null }))
}

/** The name of the interface that a zone means, by its name or its number; what means none comes back as it is. */
export function interfaceName(zone: string): string {
  const found = Object.entries(networkInterfaces()).find(([, addresses]) =>
    addresses?.some(each => each.family === 'IPv6' && String(each.scopeid) === zone),
  )
  return found?.[0] ?? zone
}

/**
 * The address as node takes it for a socket: with the name of its interface, for a number means none to libuv, which goes
 * on without a zone then, and so to another link. Undefined where this machine has no such interface.
 */
export function socketText({ text, zone }: Address): string | undefined {
  if (zone === undefined) return text
  const name = interfaceName(zone)
  return networkInterfaces()[name] === undefined ? undefined : `${withoutZone(text)}%${name}`
}
