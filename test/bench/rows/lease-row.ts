/**
 * Rows `lease` and `lease-alone`: what it costs to have a connection for a while.
 *
 *   lease         with 64 bytes there and back, 64 at once, against pools over `net`
 *   lease-alone   with nothing between lease and release: 64 at once, and one at a time
 */
import type { Goal } from '../goals.ts'
import type { HostedInput } from '../hosting/hosted.ts'
import { fieldOf } from '../hosting/hosted-field.ts'
import type { LeaseOptions } from '../ours/lease.ts'
import { startFarEnd } from '../peers/far-end.ts'
import type { Row } from '../rounds.ts'

const AT_ONCE = 64

export function leaseRow(name: string, kind: 'echo' | 'alone', goals: readonly Goal[]): Row {
  const between = kind === 'echo' ? ', 64 B there and back,' : ' and'
  return {
    name,
    what: `lease${between} release, ${AT_ONCE} at once`,
    unit: 'leases/s',
    goals,
    setUp: async () => {
      const peer = await startFarEnd()
      const { echo: port } = peer.ports
      return fieldOf(peer, kind === 'echo' ? withEcho(port) : alone(port))
    },
  }
}

function ours(name: string, options: LeaseOptions): HostedInput {
  return { name, file: 'ours/lease.ts', options }
}

function withEcho(port: number): readonly HostedInput[] {
  const options = { port, atOnce: AT_ONCE }
  return [
    ours('sockpool', { ...options, echoes: true }),
    { name: 'generic-pool', file: 'rivals/generic-pool-lease.ts', options },
    { name: 'tarn', file: 'rivals/tarn-lease.ts', options },
  ]
}

function alone(port: number): readonly HostedInput[] {
  return [
    ours('sockpool', { port, atOnce: AT_ONCE, echoes: false }),
    ours('one at a time', { port, atOnce: 1, echoes: false }),
  ]
}
