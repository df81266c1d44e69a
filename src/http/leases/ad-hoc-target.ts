/**
 * Targets that callers describe. The schema has refused unknown fields; here every known field is copied by name onto an
 * object without a prototype, so that nothing else of a caller's JSON can ever reach a connect call.
 */
import { SockpoolError } from '../../base/errors.ts'
import type { CallerTarget, CallerTls, TargetChoice } from '../ports.ts'

type Writable<T> = { -readonly [Field in keyof T]: T[Field] }

/** A name as it is, or a description rebuilt field by field. What is neither is left for the pool to refuse. */
export function rebuildTarget(target: TargetChoice): TargetChoice {
  if (typeof target !== 'object' || target === null) return target
  const { host, port, tls } = target
  const rebuilt: Writable<CallerTarget> = Object.assign(Object.create(null), { host, port })
  if (typeof tls === 'object' && tls !== null) rebuilt.tls = rebuildTls(tls)
  else if (tls !== undefined) rebuilt.tls = tls
  return rebuilt
}

/** TLS options rebuilt field by field. */
export function rebuildTls(tls: CallerTls): CallerTls {
  const { servername, ca, alpn, minVersion } = tls
  const rebuilt: Writable<CallerTls> = Object.create(null)
  if (servername !== undefined) rebuilt.servername = servername
  if (ca !== undefined) rebuilt.ca = ca
  if (alpn !== undefined) rebuilt.alpn = Array.isArray(alpn) ? [...alpn] : alpn
  if (minVersion !== undefined) rebuilt.minVersion = minVersion
  return rebuilt
}

/** The pool's INVALID_REQUEST about a described target, with the paths of its fields as they are in the request. */
export function locateInRequest(error: unknown, target: TargetChoice): unknown {
  const isLocated = error instanceof SockpoolError && error.errors !== undefined
  if (typeof target === 'string' || !isLocated || error.code !== 'INVALID_REQUEST') return error
  const errors = error.errors?.map(({ path, message }) => ({
    path: /^(?:host|port|tls)(?:\.|$)/.test(path) ? `target.${path}` : path,
    message,
  }))
  return new SockpoolError('INVALID_REQUEST', error.message, { ...(errors && { errors }), cause: error })
}
