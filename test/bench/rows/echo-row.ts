/** Rows `echo-…`: 64 bytes there and back, over and over, on each of so many connections, and work with each reply. */
import { type EchoOptions, turnsFor } from '../echo-work.ts'
import type { Goal } from '../goals.ts'
import { fieldOf } from '../hosting/hosted-field.ts'
import { startFarEnd } from '../peers/far-end.ts'
import type { Row } from '../rounds.ts'

export function echoRow(name: string, connections: number, workUs: number, goals: readonly Goal[]): Row {
  const many = connections === 1 ? '1 connection' : `${connections} connections at once`
  const work = workUs === 0 ? '' : `, ${workUs} us of JavaScript for each reply`
  return {
    name,
    what: `64 B echo, ${many}${work}`,
    unit: 'echo/s',
    goals,
    setUp: async () => {
      const peer = await startFarEnd()
      const options: EchoOptions = { port: peer.ports.echo, connections, turns: turnsFor(workUs) }
      return fieldOf(peer, [
        { name: 'sockpool', file: 'ours/echo.ts', options },
        { name: 'net', file: 'rivals/net-echo.ts', options },
      ])
    },
  }
}
