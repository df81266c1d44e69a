/** Where a connection goes, in the attributes that the semantic conventions of OpenTelemetry have for it. */
import type { Attributes } from '@opentelemetry/api'

/** What a span says of targets that callers describe: their places are in the attributes of the server. */
export const DESCRIBED = '(described)'

type PlaceFacts = { readonly host: string; readonly port: number }

/** `path`: of the unix socket, where the target is one. */
export function serverAttributes(place: PlaceFacts | undefined, path: string | undefined): Attributes {
  if (path !== undefined) return { 'server.address': path, 'network.transport': 'unix' }
  if (place === undefined) return { 'network.transport': 'tcp' }
  return { 'server.address': place.host, 'server.port': place.port, 'network.transport': 'tcp' }
}

type PeerFacts = {
  readonly remoteAddress: string
  readonly remotePort: number
  readonly tls: { readonly protocol: string } | null
}

/** The other end as the system knows it. A unix socket has none. */
export function peerAttributes({ remoteAddress, remotePort, tls }: PeerFacts): Attributes {
  const version = /^TLSv(\d(?:\.\d)?)$/.exec(tls?.protocol ?? '')?.[1]
  return {
    ...(remotePort > 0 && { 'network.peer.address': remoteAddress, 'network.peer.port': remotePort }),
    ...(tls !== null && { 'tls.protocol.name': 'tls' }),
    ...(version !== undefined && { 'tls.protocol.version': version }),
  }
}
