/** Ends a socket so that its peer cannot take the end for an orderly one. */
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

/**
 * By a reset on TCP; over TLS by a FIN that no close_notify goes before, which says the same there. A unix socket has no
 * more than a close.
 */
export function resetSocket(socket: Socket): void {
  // A socket that is not, or not any more, one of TCP has no family.
  if (socket instanceof TLSSocket || socket.remoteFamily === undefined) socket.destroy()
  else socket.resetAndDestroy()
}
