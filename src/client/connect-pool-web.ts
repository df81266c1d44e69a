/** The pool of a service, for browsers and every runtime that has `fetch` and `WebSocket`. */
import { type ConnectPoolOptions, judgedConnect } from './client-options.ts'
import { RemotePool } from './remote-pool.ts'
import { openWebWire } from './web-wire.ts'

/**
 * The pool of a running service. Nothing is dialled before the first call.
 *
 * `url`: `http://HOST:PORT` or `https://HOST:PORT`, with or without a path. Errors: INVALID_REQUEST; UNSUPPORTED for what
 * Node alone can do: `unix:PATH`, `tls`.
 */
export function connectPool(url: string | URL, options: ConnectPoolOptions = {}): RemotePool {
  return new RemotePool(judgedConnect(url, options), openWebWire)
}
