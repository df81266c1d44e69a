/**
 * A request as the HTTP server makes it. It asks for another protocol only where that is one of ours: of any other, such
 * as the `h2c` that Java's client offers with each first request, nothing is to be seen, and the request is answered as it
 * stands.
 *
 * Node has an option for this since 22.21. The accessor below does the same on every line that the package runs on: Node
 * asks `upgrade` of a request once its headers are there, and hands over the socket only where it says yes.
 */
import { type IncomingHttpHeaders, IncomingMessage } from 'node:http'

/** Protocols that a request may leave HTTP for. */
export type UpgradeKind = 'websocket' | 'tcp'

/** Those that want to, by Node's own word. */
const asking = new WeakSet<object>()

/** The protocol that a request asks for, of those that the service speaks; null where it is none of them. */
export function wantedUpgrade({ connection = '', upgrade = '' }: IncomingHttpHeaders): UpgradeKind | null {
  if (!/(?:^|,)\s*upgrade\s*(?:,|$)/i.test(connection)) return null
  for (const name of upgrade.split(',')) {
    const wanted = name.trim().toLowerCase()
    if (wanted === 'websocket' || wanted === 'tcp') return wanted
  }
  return null
}

export class HttpRequest extends IncomingMessage {
  get upgrade(): boolean {
    return asking.has(this) && (this.method === 'CONNECT' || wantedUpgrade(this.headers) !== null)
  }

  /** Called by Node, first within the constructor. */
  set upgrade(isAsked: boolean | null) {
    if (isAsked === true) asking.add(this)
    else asking.delete(this)
  }
}
