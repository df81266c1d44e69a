/**
 * How the peer of a TLS connection has ended its direction: by a close_notify, before which nothing is missing; or by a
 * FIN without one, which anybody on the way can forge.
 *
 * node:tls tells both as 'end', and nothing public tells them apart. They differ in who heard of it: of a close_notify
 * TLS itself, in bytes that were read; of a bare FIN the handle beneath, which has stopped reading by then, while one that
 * goes on reading answers EALREADY to whoever has it begin. That is asked in the very call that tells of the end, as the
 * FIN behind a close_notify may be there a moment later. Where this side has stopped the reading itself, no FIN can be
 * heard, and the end was in bytes that had been read before. A stream of our own beneath TLS would tell as well, but
 * would carry every byte through JavaScript once more; this costs nothing before the end.
 */
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { getSystemErrorName } from 'node:util'
import type { PeerEnd } from '../../src/channel/values.ts'

/** Of a handle of node what is asked here. Its types name none of it. */
type TlsHandle = {
  /** Whether node has it read. */
  readonly reading?: unknown
  /** The handle that TLS reads from. */
  readonly _parent?: { readStart?(): number; readStop?(): number } | null
}

const ends = new WeakMap<Socket, PeerEnd>()

/** To be called before the handshake is over, for an end may come with its last bytes. */
export function watchTlsEnd<Watched extends TLSSocket>(socket: Watched): Watched {
  const push = socket.push.bind(socket)
  socket.push = (chunk, encoding) => {
    if (chunk === null && !ends.has(socket)) ends.set(socket, endHeardBy(socket))
    return push(chunk, encoding)
  }
  return socket
}

/** How the peer has ended its direction, once the socket has told 'end'. What TLS does not vouch for is not whole. */
export function peerEndOf(socket: Socket): PeerEnd {
  return socket instanceof TLSSocket ? (ends.get(socket) ?? 'truncated') : 'fin'
}

function endHeardBy(socket: TLSSocket): PeerEnd {
  const { _handle: handle } = socket as unknown as { readonly _handle?: TlsHandle | null }
  if (handle?.reading === false) return 'closeNotify'
  const beneath = handle?._parent
  const answer = beneath?.readStart?.()
  if (beneath === undefined || beneath === null || answer === undefined) return 'truncated'
  if (answer < 0) return getSystemErrorName(answer) === 'EALREADY' ? 'closeNotify' : 'truncated'
  // It had stopped, and would hear of the same FIN again.
  beneath.readStop?.()
  return 'truncated'
}
