/** TLS options that a program hands over, checked and rebuilt field by field; PEM comes out as text. */
import { SockpoolError } from '../base/errors.ts'
import { childPath } from './complete.ts'
import { isRecord } from './schema-node.ts'
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

export type ServerTls = Omit<TargetTls, 'servername' | 'cert' | 'key'> & {
  readonly cert: string
  readonly key: string
  readonly requestCert: boolean
}

const STAND_IN = { host: 'localhost', port: 1 }

/** Client TLS; what is absent is left to its default. Errors: INVALID_REQUEST with every fault, at `tls.…`. */
export function normaliseClientTls(input: unknown): TargetTls {
  const { tls } = normaliseTarget({ ...STAND_IN, tls: isRecord(input) ? defined(input) : input })
  return tls === false ? {} : tls
}

/** Server TLS. Errors: INVALID_REQUEST with the faults, at `tls.…`. */
export function normaliseServerTls(input: unknown): ServerTls {
  if (!isRecord(input)) throw invalid('tls', 'must be an object with a cert and its key')
  const { requestCert = false, ...rest } = defined(input)
  if (typeof requestCert !== 'boolean') throw invalid('tls.requestCert', 'must be true or false')
  if ('servername' in rest) throw invalid('tls.servername', 'is what a client asks for')
  const { cert, key, ...more } = normaliseClientTls(rest)
  if (cert === undefined) throw invalid('tls.cert', 'is required')
  if (key === undefined) throw invalid('tls.key', 'is required')
  return { ...more, cert, key, requestCert }
}

function defined(input: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined))
}

function invalid(path: string, message: string): SockpoolError {
  const errors = [{ path: childPath('', path), message }]
  return new SockpoolError('INVALID_REQUEST', `${path}: ${message}`, { errors })
}
