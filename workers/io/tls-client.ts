/** The connecting side of TLS: its options, built field by field, and the handshake on a connection that is there. */
import { isIP, type Socket } from 'node:net'
import {
  type ConnectionOptions,
  checkServerIdentity,
  connect,
  createSecureContext,
  type PeerCertificate,
  type SecureContext,
  type TLSSocket,
} from 'node:tls'
import { LIMITS } from '../../src/base/limits.ts'
import { timerMs } from '../../src/base/timer.ts'
import { withoutZone } from '../../src/egress/address.ts'
import type { TlsClient } from '../../src/threads/protocol.ts'
import { digestOf } from './options-digest.ts'
import { hungUp, timedOut, tlsError } from './socket-error.ts'
import { watchTlsEnd } from './tls-end.ts'

/**
 * What TLS is told; `host` is what the certificate must show where `servername` is not given. The name that was
 * asked for is what SNI sends; an address has no SNI.
 */
export function tlsClientOptions(tls: TlsClient, host: string): ConnectionOptions {
  const name = tls.servername ?? host
  return {
    rejectUnauthorized: true,
    checkServerIdentity: verifiedName,
    servername: isIP(name) === 0 ? name : '',
    secureContext: secureContext(tls),
    ...(tls.alpn ? { ALPNProtocols: [...tls.alpn] } : {}),
  }
}

/** As node's own, which throws where there is no certificate to read: from within its own event, past every guard. */
function verifiedName(host: string, certificate: PeerCertificate): Error | undefined {
  try {
    // No certificate knows the links of this machine.
    return checkServerIdentity(withoutZone(host), certificate)
  } catch (error) {
    const message = `the certificate of ${host} cannot be read`
    return Object.assign(new Error(message, { cause: error }), { code: 'ERR_TLS_CERT_ALTNAME_FORMAT' })
  }
}

/**
 * Shakes hands as the client of a connection whose plain reading has stopped.
 *
 * Errors: TLS_FAILED with OpenSSL's or the system's code as `reason`; the socket is destroyed.
 */
export async function secureAsClient(
  socket: Socket,
  tls: TlsClient,
  host: string,
  timeoutMs: number,
): Promise<TLSSocket> {
  if (socket.destroyed) throw tlsError(hungUp())
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let secured: TLSSocket
  try {
    // With a socket given the host is not dialled; it is what the certificate of an address is compared with.
    secured = watchTlsEnd(connect({ ...tlsClientOptions(tls, host), socket, host: tls.servername ?? host }))
  } catch (error) {
    socket.destroy()
    throw tlsError(error)
  }
  const onClose = (): void => reject(hungUp())
  const timer = setTimeout(() => reject(timedOut()), timerMs(timeoutMs))
  // The listener for errors stays: the caller adds its own later, and not every error ends the socket by itself.
  const onError = (error: Error): void => {
    reject(error)
    secured.destroy()
  }
  secured.once('secureConnect', resolve).on('error', onError).once('close', onClose)
  try {
    await promise
    if (secured.destroyed) throw hungUp()
    return secured
  } catch (error) {
    secured.destroy()
    throw tlsError(error)
  } finally {
    clearTimeout(timer)
    secured.off('close', onClose)
  }
}

/** By the digest of its options. Building one parses its certificates, so each is built once and the least recently used one goes first. */
const contexts = new Map<string, SecureContext>()

function secureContext({ ca, cert, key, minVersion }: TlsClient): SecureContext {
  const name = digestOf({ ca, cert, key, minVersion })
  const context =
    contexts.get(name) ??
    createSecureContext({
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(minVersion === undefined ? {} : { minVersion }),
    })
  contexts.delete(name)
  contexts.set(name, context)
  if (contexts.size > LIMITS.secureContextsMax) contexts.delete(contexts.keys().next().value ?? '')
  return context
}
