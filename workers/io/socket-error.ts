/** Adopts the errors of node:net and node:tls, once, at the edge where they appear. */
import { type ErrorCode, SockpoolError } from '../../src/base/errors.ts'
import type { EndName } from '../../src/channel/channel.ts'

const codeOf = (error: unknown): string => {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : 'UNKNOWN'
}

/** OpenSSL's and node's own codes for everything that can go wrong in a handshake or a certificate. */
const TLS_CODE =
  /^(ERR_SSL_|ERR_TLS_|CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO_|CRL_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH|ERR_OSSL)/

/** An error before the connection was ready. `reason` is the system's or OpenSSL's own code. */
export function connectError(error: unknown, speaksTls: boolean): SockpoolError {
  if (error instanceof SockpoolError) return error
  const reason = codeOf(error)
  const detail = error instanceof Error ? error.message : String(error)
  return new SockpoolError(connectCode(reason, speaksTls), detail, { reason, cause: error })
}

function connectCode(reason: string, speaksTls: boolean): ErrorCode {
  if (TLS_CODE.test(reason)) return 'TLS_FAILED'
  switch (reason) {
    case 'ECONNREFUSED':
      return 'CONNECT_REFUSED'
    case 'ETIMEDOUT':
      return 'CONNECT_TIMEOUT'
    case 'ECONNRESET':
      // The peer hung up in the middle of the handshake: it does not speak TLS, or refused ours.
      return speaksTls ? 'TLS_FAILED' : 'CONNECT_FAILED'
    default:
      return 'CONNECT_FAILED'
  }
}

/** How an error ends a connection that was ready. */
export function endOf(error: unknown): EndName {
  const code = codeOf(error)
  if (TLS_CODE.test(code)) return 'tls'
  return code === 'ETIMEDOUT' ? 'timedOut' : 'reset'
}
