/** Adopts the errors of node:net and node:tls, once, at the edge where they appear. */
import { exhausted, isExhaustion } from '../../src/base/descriptors.ts'
import { errorText } from '../../src/base/error-text.ts'
import { type ErrorCode, SockpoolError } from '../../src/base/errors.ts'
import type { EndName } from '../../src/channel/values.ts'

/** The code that node or the system gave an error, or UNKNOWN. */
export function systemCode(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : 'UNKNOWN'
}

/** OpenSSL's and node's own codes for everything that can go wrong in a handshake or a certificate. */
const TLS_CODE =
  /^(ERR_SSL_|ERR_TLS_|CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO_|CRL_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH|ERR_OSSL)/

/** An error before the connection was ready; QUEUE_FULL where this machine could not even try. `reason` is the system's or OpenSSL's own code. */
export function connectError(error: unknown, speaksTls: boolean): SockpoolError {
  if (error instanceof SockpoolError) return error
  if (isExhaustion(error)) return exhausted('no connection can be opened', error)
  const reason = systemCode(error)
  const detail = errorText(error)
  return new SockpoolError(connectCode(reason, speaksTls), detail, { reason, cause: error })
}

/** An error of a handshake on a connection that was there already. */
export function tlsError(error: unknown): SockpoolError {
  if (error instanceof SockpoolError) return error
  const message = errorText(error)
  return new SockpoolError('TLS_FAILED', message, { reason: systemCode(error), cause: error })
}

/** For a socket that closed without an error before it was ready. */
export function hungUp(): Error {
  return Object.assign(new Error('the peer hung up before the connection was ready'), { code: 'ECONNRESET' })
}

export function timedOut(): Error {
  return Object.assign(new Error('the handshake did not finish in time'), { code: 'ETIMEDOUT' })
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
  const code = systemCode(error)
  if (TLS_CODE.test(code)) return 'tls'
  return code === 'ETIMEDOUT' ? 'timedOut' : 'reset'
}
