/** Rows `receive-16` and `tls-receive-4`: so many bytes in over some connections at once; `delay` is of the main thread's event loop. */
import type { Goal } from '../goals.ts'
import { fieldOf } from '../hosting/hosted-field.ts'
import type { ReceiveOptions } from '../ours/receive.ts'
import { startFarEnd } from '../peers/far-end.ts'
import { startTlsPeer } from '../peers/tls-far-end.ts'
import type { Row } from '../rounds.ts'

export function receiveRow(
  name: string,
  kind: 'net' | 'tls',
  connections: number,
  goals: readonly Goal[],
): Row {
  return {
    name,
    what: `512 MiB received over ${connections} ${kind === 'tls' ? 'TLS ' : ''}connections`,
    unit: 'MiB/s',
    goals,
    setUp: async () => {
      const peer = kind === 'tls' ? await startTlsPeer() : await startFarEnd()
      const ca = 'ca' in peer ? peer.ca : null
      const options: ReceiveOptions = { port: peer.ports.bulk, ca, connections }
      return fieldOf(peer, [
        { name: 'sockpool', file: 'ours/receive.ts', options },
        { name: kind, file: 'rivals/receive.ts', options },
      ])
    },
  }
}
