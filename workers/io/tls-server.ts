/**
 * The accepting side of TLS, on connections that are there already. node verifies the certificates of clients in
 * `tls.Server` alone, so a server that never listens is given the connection. A server has one handshake at a time:
 * only so its events tell which connection they mean. Building one parses its certificate, so idle ones are kept.
 */
import type { Socket } from 'node:net'
import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls'
import { LIMITS } from '../../src/base/limits.ts'
import type { TlsServer } from '../../src/threads/protocol.ts'
import { hungUp, timedOut, tlsError } from './socket-error.ts'

/** The options of node:tls, built field by field. */
export function tlsServerOptions(tls: TlsServer): TlsOptions {
  const { cert, key, ca, requestCert = false, alpn, minVersion } = tls
  return {
    cert,
    key,
    requestCert,
    rejectUnauthorized: requestCert,
    ...(ca === undefined ? {} : { ca }),
    ...(alpn === undefined ? {} : { ALPNProtocols: [...alpn] }),
    ...(minVersion === undefined ? {} : { minVersion }),
  }
}

/** Idle servers, by what they were built of; the one unused for longest goes first. */
const idle = new Map<string, Server>()

/**
 * Shakes hands as the server of a connection whose plain reading has stopped; what its stream still holds is the
 * beginning of the handshake.
 *
 * Errors: TLS_FAILED with OpenSSL's or the system's code as `reason`; the socket is destroyed.
 */
export async function secureAsServer(socket: Socket, tls: TlsServer, timeoutMs: number): Promise<TLSSocket> {
  if (socket.destroyed) throw tlsError(hungUp())
  const name = JSON.stringify(tls)
  let server: Server
  try {
    server = idle.get(name) ?? createServer({ ...tlsServerOptions(tls), allowHalfOpen: true })
  } catch (error) {
    socket.destroy()
    throw tlsError(error)
  }
  idle.delete(name)
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>()
  const onFailed = (error: Error, failed: TLSSocket): void => {
    failed.destroy()
    reject(tlsError(error))
  }
  const timer = setTimeout(() => {
    reject(tlsError(timedOut()))
    socket.destroy()
  }, timeoutMs)
  server.once('secureConnection', resolve).once('tlsClientError', onFailed)
  server.emit('connection', socket)
  try {
    const secured = await promise
    keep(name, server)
    return secured
  } finally {
    clearTimeout(timer)
    server.off('secureConnection', resolve).off('tlsClientError', onFailed)
  }
}

function keep(name: string, server: Server): void {
  idle.delete(name)
  idle.set(name, server)
  if (idle.size > LIMITS.secureContextsMax) idle.delete(idle.keys().next().value ?? '')
}
