/**
 * Targets that callers describe. The schema has closed the shape; here every field is copied by name onto an
 * object without a prototype, so that nothing a caller put beside them can ever reach a connect call.
 */
import { SockpoolError } from '../../base/errors.ts'
import type { AdHocTarget, AdHocTls } from '../parts.ts'

/** A name as it is, or a description rebuilt field by field; what has no fields is left for the pool to refuse. */
export function rebuildTarget(target: string | AdHocTarget): string | AdHocTarget {
  if (typeof target !== 'object' || target === null) return target
  const { host, port, tls } = target
  const rebuilt: AdHocTarget = Object.assign(Object.create(null), { host, port })
  if (typeof tls === 'object' && tls !== null) rebuilt.tls = rebuildTls(tls)
  else if (tls !== undefined) rebuilt.tls = tls
  return rebuilt
}

/** What the pool says about a described target's fields, with their paths in the request. */
export function locateInRequest(error: unknown, target: string | AdHocTarget): unknown {
  const isLocated = error instanceof SockpoolError && error.errors !== undefined
  if (typeof target === 'string' || !isLocated || error.code !== 'INVALID_REQUEST') return error
  const errors = error.errors?.map(({ path, message }) => ({
    path: /^(?:host|port|tls)(?:\.|$)/.test(path) ? `target.${path}` : path,
    message,
  }))
  return new SockpoolError('INVALID_REQUEST', error.message, { ...(errors && { errors }), cause: error })
}

/** How TLS is spoken, rebuilt field by field. */
export function rebuildTls(tls: AdHocTls): AdHocTls {
  const { servername, ca, alpn, minVersion } = tls
  const rebuilt: AdHocTls = Object.create(null)
  if (servername !== undefined) rebuilt.servername = servername
  if (ca !== undefined) rebuilt.ca = ca
  if (alpn !== undefined) rebuilt.alpn = Array.isArray(alpn) ? [...alpn] : alpn
  if (minVersion !== undefined) rebuilt.minVersion = minVersion
  return rebuilt
}
