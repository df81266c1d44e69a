/** Rows `bulk-send-…`: so many bytes out, in pieces of 64 KiB, until the peer has taken the last. */
import type { Goal } from '../goals.ts'
import { fieldOf } from '../hosting/hosted-field.ts'
import type { SendOptions } from '../ours/send.ts'
import { startFarEnd } from '../peers/far-end.ts'
import type { Row } from '../rounds.ts'

export function sendRow(name: string, connections: number, goals: readonly Goal[]): Row {
  return {
    name,
    what: `512 MiB sent over ${connections === 1 ? 'one connection' : `${connections} connections`}`,
    unit: 'MiB/s',
    goals,
    setUp: async () => {
      const peer = await startFarEnd()
      const options: SendOptions = { port: peer.ports.sink, connections }
      return fieldOf(peer, [
        { name: 'sockpool', file: 'ours/send.ts', options },
        { name: 'net', file: 'rivals/net-send.ts', options },
      ])
    },
  }
}
