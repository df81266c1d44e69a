/** Row `blocked`: bytes received while the main thread is busy with something else for 50 ms of every 100. */
import type { Goal } from '../goals.ts'
import { fieldOf } from '../hosting/hosted-field.ts'
import type { BlockedOptions } from '../ours/blocked.ts'
import { startFarEnd } from '../peers/far-end.ts'
import type { Row } from '../rounds.ts'

const CONNECTIONS = 1

export function blockedRow(name: string, goals: readonly Goal[]): Row {
  return {
    name,
    what: `bytes from one connection, the main thread blocked for 50 ms of every 100`,
    unit: 'MiB/s',
    goals,
    setUp: async () => {
      const peer = await startFarEnd()
      const options: BlockedOptions = { port: peer.ports.bulk, connections: CONNECTIONS }
      return fieldOf(peer, [
        { name: 'sockpool', file: 'ours/blocked.ts', options },
        { name: 'net', file: 'rivals/net-blocked.ts', options },
      ])
    },
  }
}
