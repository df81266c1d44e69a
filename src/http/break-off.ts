/** An end of a connection that nobody can take for an orderly one. */
import type { Duplex } from 'node:stream'

type BreakableSocket = Duplex & { readonly remoteFamily?: unknown; resetAndDestroy?(): void }

/** By a reset on TCP; TLS and unix sockets have none. */
export function breakOff(socket: BreakableSocket): void {
  const isTcp = socket.remoteFamily !== undefined && !('encrypted' in socket)
  if (isTcp && socket.resetAndDestroy) socket.resetAndDestroy()
  else socket.destroy()
}
