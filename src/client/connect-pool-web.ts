/** The pool of a service, for browsers and every runtime that has `fetch` and `WebSocket`. */
import { SockpoolError } from '../base/errors.ts'
import { optionsObject } from '../base/options.ts'
import { type ConnectPoolOptions, isUnix, judgedRetry, judgedToken, serviceBase } from './client-options.ts'
import { RemotePool } from './remote-pool.ts'
import { openWebWire } from './web-wire.ts'

/**
 * The pool of a running service. Nothing is dialled before the first call.
 *
 * `url`: `http://HOST:PORT` or `https://HOST:PORT`, with or without a path. Errors: INVALID_REQUEST; UNSUPPORTED for what
 * Node alone can do: `unix:PATH`, `tls`.
 */
export function connectPool(url: string | URL, options: ConnectPoolOptions = {}): RemotePool {
  const { token, tls, retry } = optionsObject(options)
  if (isUnix(url)) throw nodeAlone('a unix socket can be reached from Node alone')
  const base = serviceBase(url)
  if (tls !== undefined) throw nodeAlone('tls can be set on Node alone: here the runtime judges certificates')
  const known = judgedToken(token)
  const bounds = judgedRetry(retry)
  return new RemotePool(openWebWire(base, known), bounds, 'there')
}

function nodeAlone(message: string): SockpoolError {
  return new SockpoolError('UNSUPPORTED', message)
}
