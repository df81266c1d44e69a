/** TLS options that a program hands over, checked and rebuilt field by field; PEM comes out as text. */
import { invariant, SockpoolError } from '../base/errors.ts'
import { field, isRecord } from './schema-node.ts'
import { normaliseTarget, type TargetTls } from './target.ts'

/** The accepting side of TLS. PEM as text or bytes. */
export type ServerTlsInput = {
  readonly cert: string | Uint8Array
  readonly key: string | Uint8Array
  /** Who signs the certificates of clients; default: the platform's authorities. */
  readonly ca?: string | Uint8Array | undefined
  /** Clients must show a certificate that is vouched for; default: false. */
  readonly requestCert?: boolean | undefined
  /** Protocols to accept, best first. */
  readonly alpn?: readonly string[] | undefined
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3' | undefined
}

export type ServerTls = Omit<TargetTls, 'servername' | 'cert' | 'key' | 'allowTruncated'> & {
  readonly cert: string
  readonly key: string
  readonly requestCert: boolean
}

const STAND_IN = { host: 'localhost', port: 1 }

/**
 * Client TLS; what is absent is left to its default. `path` stands in front of the paths of faults.
 *
 * Errors: INVALID_REQUEST with every fault.
 */
export function normaliseClientTls(input: unknown, path = 'tls'): TargetTls {
  if (field(input, 'allowTruncated') !== undefined)
    throw invalid([{ path: moved('tls.allowTruncated', path), message: 'is for the exchanges of a target' }])
  try {
    const { tls } = normaliseTarget({ ...STAND_IN, tls: input })
    return tls === false ? {} : tls
  } catch (error) {
    if (!(error instanceof SockpoolError) || error.errors === undefined) throw error
    throw invalid(error.errors.map(fault => ({ ...fault, path: moved(fault.path, path) })))
  }
}

/** Server TLS. `path` as for `normaliseClientTls`. Errors: INVALID_REQUEST with the faults. */
export function normaliseServerTls(input: unknown, path = 'tls'): ServerTls {
  const fault = (field: string, message: string): SockpoolError =>
    invalid([{ path: moved(`tls${field}`, path), message }])
  if (!isRecord(input)) throw fault('', 'must be an object with a cert and its key')
  const { requestCert = false, servername, ...rest } = input
  const given: { readonly cert?: unknown; readonly key?: unknown } = rest
  if (typeof requestCert !== 'boolean') throw fault('.requestCert', 'must be true or false')
  if (servername !== undefined) throw fault('.servername', 'is what a client asks for')
  if (given.cert === undefined) throw fault('.cert', 'is required')
  if (given.key === undefined) throw fault('.key', 'is required')
  const { cert, key, ...more } = normaliseClientTls(rest, path)
  invariant(cert !== undefined && key !== undefined, 'a pair that was given comes out of its check')
  return { ...more, cert, key, requestCert }
}

/** A path below `tls`, below another. */
function moved(path: string, to: string): string {
  return to === '' ? path.replace(/^tls\.?/, '') : path.replace(/^tls/, to)
}

function invalid(errors: readonly { readonly path: string; readonly message: string }[]): SockpoolError {
  const [first] = errors
  return new SockpoolError('INVALID_REQUEST', `${first?.path}: ${first?.message}`, { errors })
}
