/**
 * Binds the sockets of one listener. Names are resolved as the operating system does; each address gets a server of
 * its own, IPv6 for IPv6 alone, and an address that this machine does not have is left out.
 */

import { isIP, type ListenOptions, type Server } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { exhausted, isExhaustion } from '../../src/base/descriptors.ts'
import { errorText } from '../../src/base/error-text.ts'
import { SockpoolError } from '../../src/base/errors.ts'
import { LIMITS } from '../../src/base/limits.ts'
import { parseAddress } from '../../src/egress/address.ts'
import { socketText } from '../../src/egress/local-addresses.ts'
import type { NameResolver } from '../../src/egress/resolver.ts'
import type { BoundAddress, ListenSpec } from '../../src/threads/protocol.ts'
import { systemCode } from './socket-error.ts'

/** `isShared`: another listener of this process may be bound there beside it. */
export type Bound = { readonly server: Server; readonly address: BoundAddress; readonly isShared: boolean }

const ALL_INTERFACES = ['0.0.0.0', '::']
/** This machine does not have the address, or not the whole family: as good as not asked for. */
const ABSENT: ReadonlySet<string> = new Set(['EADDRNOTAVAIL', 'EAFNOSUPPORT'])
/** This system lets no two sockets listen on one port, or does not spread clients over them. */
const NOT_SHARED: ReadonlySet<string> = new Set(['ENOTSUP', 'ENOPROTOOPT'])

/**
 * One listening server for each address of the hosts; with port 0 the later ones take the port of the first where
 * it is free.
 *
 * Errors: LISTEN_FAILED with the system's code as `reason`, DNS_FAILED; nothing stays bound.
 */
export async function bindAll(
  hosts: readonly string[],
  port: number,
  spec: ListenSpec,
  makeServer: () => Server,
  resolver: NameResolver,
): Promise<Bound[]> {
  const addresses = await addressesOf(hosts, resolver)
  const bound: Bound[] = []
  try {
    for (const host of addresses) {
      const shared = port === 0 ? (bound[0]?.address.port ?? 0) : port
      const server = await bindOne(host, shared, port, spec, makeServer)
      if (server !== null) bound.push(server)
    }
    if (bound.length === 0)
      throw new SockpoolError(
        'LISTEN_FAILED',
        `could not bind on any address out of ${addresses.join(', ')}`,
        { reason: 'EADDRNOTAVAIL' },
      )
    return bound
  } catch (error) {
    for (const { server } of bound) server.close()
    throw error
  }
}

/** Starts to listen, or rejects with the system's error and leaves nothing bound. */
export function listen(server: Server, options: ListenOptions): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen(options, () => {
    server.off('error', reject)
    resolve()
  })
  return promise
}

/**
 * Has them stop listening, once the system has handed over whoever it has connected: what it still kept then would be
 * reset. Resolves when they listen no more; who was accepted goes on.
 */
export async function stopListening(servers: readonly Server[]): Promise<void> {
  let accepts = 0
  for (const server of servers) server.on('connection', () => accepts++)
  let quietTurns = 0
  for (let turn = 0; turn < LIMITS.listenerLeaveTurns && quietTurns < 2; turn++) {
    const before = accepts
    await setImmediate()
    quietTurns = before === accepts ? quietTurns + 1 : 0
  }
  for (const server of servers) server.close()
}

/** What a failed bind is to the caller. */
export function listenError(error: unknown, where: string): SockpoolError {
  if (error instanceof SockpoolError) return error
  if (isExhaustion(error)) return exhausted(`cannot listen on ${where}`, error)
  const reason = systemCode(error)
  const detail = errorText(error)
  return new SockpoolError('LISTEN_FAILED', `cannot listen on ${where}: ${detail}`, { reason, cause: error })
}

async function bindOne(
  host: string,
  port: number,
  wanted: number,
  spec: ListenSpec,
  makeServer: () => Server,
): Promise<Bound | null> {
  let opened: Pick<Bound, 'server' | 'isShared'>
  try {
    opened = await openOne(host, port, spec, makeServer)
  } catch (error) {
    const reason = systemCode(error)
    if (ABSENT.has(reason)) return null
    // The first address's random port may be taken on this one; no particular port was asked for.
    if (reason === 'EADDRINUSE' && port !== wanted)
      return await bindOne(host, wanted, wanted, spec, makeServer)
    throw listenError(error, `${host}:${port}`)
  }
  const { server } = opened
  const address = server.address()
  if (address === null || typeof address === 'string')
    throw new SockpoolError('LISTEN_FAILED', `${host} has no port`)
  const family = isIP(address.address) === 6 ? 'IPv6' : 'IPv4'
  return { ...opened, address: { address: address.address, port: address.port, family } }
}

/**
 * Listens so that a successor may be bound beside it. An address that somebody has already is refused all the same, unless
 * it was asked to share it, or that is its predecessor: two programs that are told to listen at one place do not know it.
 */
async function openOne(
  host: string,
  port: number,
  { backlog, reusePort, succeeds }: ListenSpec,
  makeServer: () => Server,
): Promise<Pick<Bound, 'server' | 'isShared'>> {
  const place = { host, port, backlog, exclusive: true, ipv6Only: isIP(host) === 6 }
  const isTheirs = reusePort || succeeds?.kind === 'port'
  // The system gives away no port that is bound. Whoever finds the probe has found the listener.
  if (port !== 0 && !isTheirs) {
    const probe = makeServer()
    await listen(probe, place)
    await stopListening([probe])
  }
  const server = makeServer()
  try {
    await listen(server, { ...place, reusePort: true })
    return { server, isShared: true }
  } catch (error) {
    if (isTheirs || !NOT_SHARED.has(systemCode(error))) throw error
  }
  const alone = makeServer()
  await listen(alone, place)
  return { server: alone, isShared: false }
}

/** An address on one link has the name of the interface. */
function boundText(host: string): string {
  const address = host.includes('%') ? parseAddress(host) : undefined
  return (address && socketText(address)) ?? host
}

async function addressesOf(hosts: readonly string[], resolver: NameResolver): Promise<string[]> {
  const found: string[] = []
  for (const host of hosts) {
    if (host === '') found.push(...ALL_INTERFACES)
    else if (isIP(host) !== 0) found.push(boundText(host))
    else found.push(...(await resolver.resolveBySystem(host, {})).map(({ text }) => text))
  }
  return [...new Set(found)]
}
