/** The pool of a service, for Node: over TCP, TLS with certificates of one's own, or a unix socket. */
import { optionsObject } from '../base/options.ts'
import { type ConnectPoolOptions, judgedRetry, judgedToken } from './client-options.ts'
import { judgedPlace } from './node-place.ts'
import { openNodeWire } from './node-wire.ts'
import { RemotePool } from './remote-pool.ts'

/**
 * The pool of a running service. Nothing is dialled before the first call.
 *
 * `url`: `http://HOST:PORT`, `https://HOST:PORT`, a path behind either, or `unix:PATH`. Errors: INVALID_REQUEST.
 */
export function connectPool(url: string | URL, options: ConnectPoolOptions = {}): RemotePool {
  const { token, tls, retry } = optionsObject(options)
  const place = judgedPlace(url, tls)
  const known = judgedToken(token)
  const bounds = judgedRetry(retry)
  return new RemotePool(openNodeWire({ ...place, token: known }), bounds, 'here')
}
