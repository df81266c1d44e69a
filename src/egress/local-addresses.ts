/**
 * The addresses of this machine's interfaces as denials. They change while we run (DHCP, containers), so the
 * caller asks again at its own pace and hands the answer to `EgressRules.setDenied`.
 */
import { networkInterfaces } from 'node:os'
import type { Denied } from '../base/egress-data.ts'
import { parseAddress } from './address.ts'

/** One denial of every port for each address of each interface, loopback included. */
export function localAddresses(): readonly Denied[] {
  return Object.values(networkInterfaces())
    .flatMap(addresses => addresses ?? [])
    .flatMap(({ address }) => parseAddress(address) ?? [])
    .map(({ text }) => ({ address: text, port: null }))
}

/** The name of the interface that has this number; what is no number of one comes back as it is. */
export function interfaceName(zone: string): string {
  if (!/^\d+$/.test(zone)) return zone
  const found = Object.entries(networkInterfaces()).find(([, addresses]) =>
    addresses?.some(each => each.family === 'IPv6' && String(each.scopeid) === zone),
  )
  return found?.[0] ?? zone
}
