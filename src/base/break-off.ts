/** An end of a connection that nobody can take for an orderly one. */
import type { Duplex } from 'node:stream'

/** A net.Socket, a TLSSocket, or what stands for one of them on another thread. */
export type BreakableSocket = Duplex & { readonly remoteFamily?: unknown; resetAndDestroy?(): void }

/**
 * By a reset on TCP; over TLS by an end that no close_notify goes before, which says the same there. A unix socket has no
 * more than a close, and throws where it is asked for a reset.
 */
export function breakOff(socket: BreakableSocket): void {
  // A socket that is not, or not any more, one of TCP has no family.
  const isTcp = socket.remoteFamily !== undefined && !('encrypted' in socket)
  if (isTcp && socket.resetAndDestroy) socket.resetAndDestroy()
  else socket.destroy()
}
