/**
 * The accepting side of TLS, on connections that are there already: those that a listener accepted, and those that start
 * TLS on the way. node verifies the certificates of clients in `tls.Server` alone, so a server that never listens is
 * given the connection. Its events name the socket that wraps the connection, and nothing public leads from the one to
 * the other. But the wrapping socket is made within the handshake's own asynchronous context, and calls back in it: so the
 * context says which handshake an event is about.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Socket } from 'node:net'
import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls'
import { FaultGuard } from '../../src/base/fault-guard.ts'
import { LIMITS } from '../../src/base/limits.ts'
import { timerMs } from '../../src/base/timer.ts'
import type { TlsServer } from '../../src/threads/protocol.ts'
import { digestOf } from './options-digest.ts'
import { hungUp, timedOut, tlsError } from './socket-error.ts'
import { watchTlsEnd } from './tls-end.ts'

type Handshake = {
  readonly succeed: (secured: TLSSocket) => void
  readonly fail: (error: unknown) => void
}

const handshakes = new AsyncLocalStorage<Handshake>()

/**
 * Shakes hands as the server of a connection whose plain reading has stopped; what its stream still holds is the
 * beginning of the handshake.
 *
 * Units: `timeoutMs` is for the whole handshake, whatever the client sends meanwhile.
 * Errors: TLS_FAILED with OpenSSL's or the system's code as `reason`; the socket is destroyed.
 */
export async function secureAsServer(socket: Socket, tls: TlsServer, timeoutMs: number): Promise<TLSSocket> {
  if (socket.destroyed) throw tlsError(hungUp())
  const { promise, resolve: succeed, reject: fail } = Promise.withResolvers<TLSSocket>()
  const onClose = (): void => fail(hungUp())
  const timer = setTimeout(() => fail(timedOut()), timerMs(timeoutMs))
  socket.once('close', onClose)
  // A client that ends in the middle of its handshake is heard of at once only where its end is ours as well.
  socket.allowHalfOpen = false
  try {
    const server = serverOf(tls)
    handshakes.run({ succeed, fail }, () => server.emit('connection', socket))
    const secured = await promise
    if (secured.destroyed) throw hungUp()
    secured.allowHalfOpen = true
    return secured
  } catch (error) {
    socket.destroy()
    throw tlsError(error)
  } finally {
    clearTimeout(timer)
    socket.off('close', onClose)
  }
}

/** By the digest of its options. Building one parses its certificate, so the least recently used ones go first. */
const servers = new Map<string, Server>()

function serverOf(tls: TlsServer): Server {
  const name = digestOf(tls)
  const server = servers.get(name) ?? makeServer(tls)
  servers.delete(name)
  servers.set(name, server)
  if (servers.size > LIMITS.secureContextsMax) servers.delete(servers.keys().next().value ?? '')
  return server
}

function makeServer(tls: TlsServer): Server {
  // What this server's own events throw is the fault of the handshake that they are about.
  const guard = new FaultGuard(error => handshakes.getStore()?.fail(error))
  return createServer(optionsOf(tls))
    .on(
      'secureConnection',
      guard.action((secured: TLSSocket) => {
        // Until its connection listens, which is some promises away: an error that nobody hears would end the thread, and
        // node does not end the socket for each, as where a session ticket cannot hold the client's certificate.
        secured.on('error', () => secured.destroy())
        const handshake = handshakes.getStore()
        if (handshake === undefined) secured.destroy()
        else handshake.succeed(watchTlsEnd(secured))
      }),
    )
    .on(
      'tlsClientError',
      guard.action((error: Error, failed: TLSSocket) => {
        handshakes.getStore()?.fail(error)
        failed.destroy()
      }),
    )
}

/** The options of node:tls, built field by field. */
function optionsOf({ cert, key, ca, requestCert = false, alpn, minVersion }: TlsServer): TlsOptions {
  return {
    cert,
    key,
    requestCert,
    rejectUnauthorized: requestCert,
    // The bound is `secureAsServer`'s: each handshake has its own.
    handshakeTimeout: LIMITS.timerMsMax,
    ...(ca === undefined ? {} : { ca }),
    ...(alpn === undefined ? {} : { ALPNProtocols: [...alpn] }),
    ...(minVersion === undefined ? {} : { minVersion }),
  }
}
