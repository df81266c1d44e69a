/** What is known of a connection, in the shapes its holder sees: the lease's `connection`, the writer's extra info. */
import type { ExtraInfo } from '../../streams/writing/stream-writer.ts'
import type { HeldConnection } from '../../threads/held-connection.ts'
import type { SocketFacts, TlsFacts } from '../../threads/protocol.ts'

export type ConnectionFacts = Omit<SocketFacts, 'tls'> & {
  readonly id: string
  readonly tls: Omit<TlsFacts, 'peercert'> | null
}

/** Without the peer's certificate, which is large. */
export function connectionFacts({ id, facts }: Pick<HeldConnection, 'id' | 'facts'>): ConnectionFacts {
  const { tls, ...addresses } = facts
  if (tls === null) return { id, ...addresses, tls }
  const { peercert: _peercert, ...shown } = tls
  return { id, ...addresses, tls: shown }
}

/** What `writer.getExtraInfo` answers. */
export function extraInfo(facts: SocketFacts): ExtraInfo {
  const { tls } = facts
  return {
    peername: [facts.remoteAddress, facts.remotePort],
    sockname: [facts.localAddress, facts.localPort],
    ssl: tls,
    ...(tls && { cipher: tls.cipher, peercert: tls.peercert }),
  }
}
