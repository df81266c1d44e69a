/**
 * Row `leased-10k`: whether the time of an operation depends on how many connections are leased beside. 100 are at work in
 * both; they are all that is leased, and 1 % of it.
 */
import type { Goal } from '../goals.ts'
import type { HostedInput } from '../hosting/hosted.ts'
import { fieldOf } from '../hosting/hosted-field.ts'
import type { LeasedOptions } from '../ours/leased.ts'
import { startFarEnd } from '../peers/far-end.ts'
import type { Row } from '../rounds.ts'

const ACTIVE = 100
const MANY = 10_000

export function leasedRow(name: string, goals: readonly Goal[]): Row {
  return {
    name,
    what: `64 B echo on ${ACTIVE} of ${MANY} leased connections, and where only those ${ACTIVE} are leased`,
    unit: 'echo/s',
    goals,
    setUp: async ({ share }) => {
      const peer = await startFarEnd()
      const contender = (name: string, leased: number): HostedInput => {
        const options: LeasedOptions = { port: peer.ports.echo, leased, active: ACTIVE }
        return { name, file: 'ours/leased.ts', options }
      }
      const many = Math.max(ACTIVE, Math.round(MANY * share))
      return fieldOf(peer, [contender('sockpool', many), contender('100 leased', ACTIVE)])
    },
  }
}
