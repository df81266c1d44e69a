/** Row `tls-receive-4`: so many bytes in over some TLS connections at once; `delay` is of the main thread's event loop. */
import type { Goal } from '../goals.ts'
import { fieldOf } from '../hosting/hosted-field.ts'
import type { TlsReceiveOptions } from '../ours/tls-receive.ts'
import { startTlsPeer } from '../peers/tls-far-end.ts'
import type { Row } from '../rounds.ts'

export function tlsReceiveRow(name: string, connections: number, goals: readonly Goal[]): Row {
  return {
    name,
    what: `512 MiB received over ${connections} TLS connections`,
    unit: 'MiB/s',
    goals,
    setUp: async () => {
      const peer = await startTlsPeer()
      const options: TlsReceiveOptions = { port: peer.ports.bulk, ca: peer.ca, connections }
      return fieldOf(peer, [
        { name: 'sockpool', file: 'ours/tls-receive.ts', options },
        { name: 'tls', file: 'rivals/tls-receive.ts', options },
      ])
    },
  }
}
