/**
 * How the thread that has the leases knows requests that another thread of this process relays to it: by a header with a
 * secret, made anew at each start, and with that thread's word on the client. Clients cannot send it: the thread that
 * relays strips what looks like it, and a request without it never gets past the server.
 */
import { timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, Server } from 'node:http'
import { type RelayedPeer, standFor } from './relayed-peer.ts'

export const RELAY_HEADER = 'relay-pass'

/** What is said of a request. `isCounted`: the caller's rate has counted it already. */
export type RelayPass = RelayedPeer & { readonly httpVersion: string; readonly isCounted: boolean }

/** The events by which a server hands requests on; each begins with the request. */
const ENTRANCES: ReadonlySet<string | symbol> = new Set([
  'request',
  'checkContinue',
  'checkExpectation',
  'connect',
  'upgrade',
])

const counted = new WeakSet<object>()

/** The header's value. */
export function relayValue(secret: string, pass: RelayPass): string {
  return `${secret} ${Buffer.from(JSON.stringify(pass)).toString('base64url')}`
}

/** Whether another thread has counted this request against its caller's rate. */
export function isCountedRequest(request: object): boolean {
  return counted.has(request)
}

/** Has the server take requests with the secret alone, as those of the client that they tell of. */
export function admitRelayed(server: Server, secret: string): void {
  const admitted = new WeakSet<object>()
  const emit = server.emit.bind(server)
  // Every way in, those too that others listen to later.
  server.emit = (event: string, ...parts: unknown[]): boolean => {
    const [request] = parts as [IncomingMessage]
    if (ENTRANCES.has(event) && !admitted.has(request)) {
      const pass = passOf(request, secret)
      if (pass === null) {
        request.socket.destroy()
        return true
      }
      admitted.add(request)
      take(request, pass)
    }
    return emit(event, ...parts)
  }
}

/** Null where the request has no valid one. */
function passOf({ headers }: IncomingMessage, secret: string): RelayPass | null {
  const [given = '', data = ''] = String(headers[RELAY_HEADER] ?? '').split(' ')
  const [own, theirs] = [Buffer.from(secret), Buffer.from(given)]
  if (own.length !== theirs.length || !timingSafeEqual(own, theirs)) return null
  // Who knows the secret is this process itself.
  return JSON.parse(Buffer.from(data, 'base64url').toString()) as RelayPass
}

function take(request: IncomingMessage, { isCounted, httpVersion, ...peer }: RelayPass): void {
  delete request.headers[RELAY_HEADER]
  const { rawHeaders } = request
  const at = rawHeaders.findIndex((text, place) => place % 2 === 0 && text.toLowerCase() === RELAY_HEADER)
  rawHeaders.splice(at, 2)
  request.httpVersion = httpVersion
  if (isCounted) counted.add(request)
  standFor(request.socket, peer)
}
