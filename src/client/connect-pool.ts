/** The pool of a service, for Node: over TCP, TLS with certificates of one's own, or a unix socket. */
import { type ConnectPoolOptions, judgedConnect } from './client-options.ts'
import { openNodeWire } from './node-wire.ts'
import { RemotePool } from './remote-pool.ts'

/**
 * The pool of a running service. Nothing is dialled before the first call.
 *
 * `url`: `http://HOST:PORT`, `https://HOST:PORT`, a path behind either, or `unix:PATH`. Errors: INVALID_REQUEST.
 */
export function connectPool(url: string | URL, options: ConnectPoolOptions = {}): RemotePool {
  return new RemotePool(judgedConnect(url, options), openNodeWire)
}
