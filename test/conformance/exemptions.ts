/** Which case runs over which transport, and why not over the others: the one place that says so. */
import type { Case, Trait } from './transport.ts'

const REAL = 'its bytes come from a peer, not from the hands of a case'
const NO_SOCKET = 'there is no socket'
const READS_ONLY = 'it is a reader alone'
const ONE_CALL = 'a thread that blocks makes one call at a time, and nothing can end it but time'
const PLAIN = 'it speaks plain text'
const TLS = 'TLS has no half-close'
const POOLED = 'it is a lease of a pool, which warns of nothing'

export type TransportName =
  | 'memory'
  | 'ring'
  | 'tcp'
  | 'tls'
  | 'attached'
  | 'attached tls'
  | 'blocking'
  | 'blocking tls'
  | 'lent'
  | 'remote'
  | 'remote tls'

/** What each transport lacks, and the reason. It has all that is not named. */
export const LACKS: Readonly<Record<TransportName, Partial<Record<Trait, string>>>> = {
  /** `new StreamReader()`. */
  memory: { writer: READS_ONLY, 'half-close': READS_ONLY, socket: NO_SOCKET, tls: NO_SOCKET, own: NO_SOCKET },
  /** StreamReader and StreamWriter on a channel whose other end is in the hands of the case. */
  ring: { fed: REAL, socket: NO_SOCKET, tls: NO_SOCKET, own: NO_SOCKET },
  /** `openConnection`: bytes go through an I/O worker. */
  tcp: { fed: REAL, tls: PLAIN },
  tls: { fed: REAL, 'half-close': TLS },
  /** A lease of `attachPool` in a worker thread, on a connection that served before. The cases run in that thread. */
  attached: { fed: REAL, tls: PLAIN, own: POOLED },
  'attached tls': { fed: REAL, 'half-close': TLS, own: POOLED },
  /** The blocking twins of a `leaseSync` in a worker thread, on a connection that served before. */
  blocking: { fed: REAL, async: ONE_CALL, tls: PLAIN, own: POOLED },
  'blocking tls': { fed: REAL, async: ONE_CALL, 'half-close': TLS, own: POOLED },
  /** BlockingReader in a worker thread on the reading end that was lent to it, as a parse worker has it. */
  lent: {
    fed: REAL,
    async: ONE_CALL,
    writer: READS_ONLY,
    'half-close': READS_ONLY,
    socket: NO_SOCKET,
    tls: NO_SOCKET,
    own: NO_SOCKET,
  },
  /** A lease of `connectPool`, over a WebSocket to a service, on a connection that served before. */
  remote: { fed: REAL, tls: PLAIN, own: POOLED },
  'remote tls': { fed: REAL, 'half-close': TLS, own: POOLED },
}

/** Why a case does not run over a transport, or null where it does. */
export function exemption(name: TransportName, { needs }: Case): string | null {
  for (const trait of needs) {
    const reason = LACKS[name][trait]
    if (reason !== undefined) return reason
  }
  return null
}
