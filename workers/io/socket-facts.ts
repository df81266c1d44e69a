/** What a socket says of itself, as plain data. It may be gone by the time that it is asked. */
import type { Socket } from 'node:net'
import { type CipherNameAndProtocol, type PeerCertificate, TLSSocket } from 'node:tls'
import type { SocketFacts } from '../../src/threads/protocol.ts'

/** What a socket says of itself once it is connected; a unix socket does not know its path. */
export function socketFacts(
  socket: Socket,
  paths: { readonly local?: string | undefined; readonly remote?: string | undefined } = {},
): SocketFacts {
  return {
    localAddress: socket.localAddress ?? paths.local ?? '',
    localPort: socket.localPort ?? 0,
    remoteAddress: socket.remoteAddress ?? paths.remote ?? '',
    remotePort: socket.remotePort ?? 0,
    tls: socket instanceof TLSSocket ? tlsFacts(socket) : null,
  }
}

function tlsFacts(socket: TLSSocket): NonNullable<SocketFacts['tls']> {
  // Both are null once the socket is gone, whatever their types say.
  const certificate = socket.getPeerCertificate() as Partial<PeerCertificate> | null
  const cipher = socket.getCipher() as CipherNameAndProtocol | null | undefined
  const { subject, issuer, subjectaltname, valid_from, valid_to, fingerprint256 } = certificate ?? {}
  const plain = {
    subject: subject?.CN,
    issuer: issuer?.CN,
    subjectaltname,
    valid_from,
    valid_to,
    fingerprint256,
  }
  const peercert = Object.fromEntries(
    Object.entries(plain).map(([name, value]) => [name, String(value ?? '')]),
  )
  return {
    protocol: socket.getProtocol() ?? '',
    cipher: cipher?.name ?? '',
    alpnProtocol: socket.alpnProtocol || null,
    authorized: socket.authorized,
    servername: servernameOf(socket),
    peercert,
  }
}

function servernameOf(socket: TLSSocket): string | null {
  // The property holds what was asked for; its type leaves it out on the client's side.
  const { servername } = socket as unknown as { readonly servername?: string | false | null }
  return servername || null
}
