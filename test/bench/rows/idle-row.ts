/** Row `idle`: the resident memory that 10,000 idle connections take, in the process that has them. */
import type { Goal } from '../goals.ts'
import { fieldOf } from '../hosting/hosted-field.ts'
import type { IdleOptions } from '../ours/idle.ts'
import { startFarEnd } from '../peers/far-end.ts'
import type { Row } from '../rounds.ts'

const COUNT = 10_000

export function idleRow(name: string, goals: readonly Goal[]): Row {
  return {
    name,
    what: `${COUNT} idle connections: KiB each, dialled and after 64 B there and back; dials`,
    unit: 'dials/s',
    goals,
    // Memory that a process has had once it does not give back: the first run tells.
    roundsMax: 1,
    coldStart: true,
    setUp: async ({ share }) => {
      const peer = await startFarEnd()
      const options: IdleOptions = { port: peer.ports.echo, count: Math.round(COUNT * Math.max(share, 0.2)) }
      return fieldOf(peer, [
        { name: 'sockpool', file: 'ours/idle.ts', options },
        { name: 'net', file: 'rivals/net-idle.ts', options },
      ])
    },
  }
}
