/**
 * Who stands behind a connection on which another thread of this process relays requests. Such a connection carries one
 * request at a time, each perhaps of another client; what that thread says of the client holds until the next.
 */

export interface RelayedPeer {
  /** Where the client's connection has come in. */
  readonly localAddress?: string | undefined
  readonly localPort?: number | undefined
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
  /** Undefined where its connection cannot be reset. */
  readonly remoteFamily?: string | undefined
  /** Whether the client showed a certificate that the listener trusts, and the names that it stands for. */
  readonly isVerified: boolean
  readonly names: readonly string[]
}

const peers = new WeakMap<object, RelayedPeer>()

/** Null where the connection is the client's own. */
export function relayedPeer(socket: object): RelayedPeer | null {
  return peers.get(socket) ?? null
}

/** From now on the connection stands for this client: it has its addresses, for whoever asks the socket. */
export function standFor(socket: object, peer: RelayedPeer): void {
  peers.set(socket, peer)
  const { localAddress, localPort, remoteAddress, remotePort, remoteFamily } = peer
  const addresses = { localAddress, localPort, remoteAddress, remotePort, remoteFamily }
  for (const [name, value] of Object.entries(addresses))
    Object.defineProperty(socket, name, { value, configurable: true })
}
