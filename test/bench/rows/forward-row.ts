/**
 * Rows `forward-…`: what stands between a client and a server and passes bytes on. Load and far end are processes of their own.
 *
 *   forward-echo   64 connections of 64 B there and back
 *   forward-bulk   512 MiB over one connection, from the server
 */
import type { Goal } from '../goals.ts'
import { startHaproxy } from '../hosting/haproxy.ts'
import { startPipe } from '../hosting/pipe-forwarder.ts'
import type { Outcome } from '../hosting/runner.ts'
import { startForward } from '../hosting/service-forward.ts'
import { beginSpending, type Meters } from '../meters/spent.ts'
import { Load, startFarEnd } from '../peers/far-end.ts'
import type { Contender, Effort, Field, Row } from '../rounds.ts'

export type ForwardKind = 'echo' | 'bulk'

/** Something that listens at a port and passes on what comes. */
export type Middle = {
  readonly port: number
  readonly meters: Meters
  readonly close: () => Promise<void>
}

const CONNECTIONS = 64
const TOTAL_BYTES = 512 * 1_048_576

export function forwardRow(name: string, kind: ForwardKind, goals: readonly Goal[]): Row {
  return {
    name,
    what:
      kind === 'echo'
        ? `64 B there and back on each of ${CONNECTIONS} connections through a forward`
        : '512 MiB over one connection through a forward',
    unit: kind === 'echo' ? 'echo/s' : 'MiB/s',
    goals,
    setUp: () => setUp(kind),
  }
}

async function setUp(kind: ForwardKind): Promise<Field> {
  const peer = await startFarEnd()
  const target = kind === 'echo' ? peer.ports.echo : peer.ports.bulk
  const load = new Load()
  const haproxy = await startHaproxy(target)
  const middles: Readonly<Record<string, Middle>> = {
    sockpool: await startForward({ host: '127.0.0.1', port: target, pool: { max: CONNECTIONS } }, 'session'),
    ...(haproxy !== null && { haproxy }),
    pipe: await startPipe(target),
    direct: { port: target, meters: { pids: [] }, close: async () => {} },
  }
  return {
    contenders: Object.entries(middles).map(([name, middle]) => contender(name, middle, kind, load)),
    notes: haproxy === null ? ['haproxy is not installed: left out'] : [],
    close: async () => {
      await Promise.all(Object.values(middles).map(middle => middle.close()))
      await load.close()
      await peer.close()
    },
  }
}

function contender(name: string, { port, meters }: Middle, kind: ForwardKind, load: Load): Contender {
  const once = ({ roundMs, share }: Effort): Promise<Outcome> =>
    kind === 'echo' ? load.echo(port, CONNECTIONS, roundMs) : load.take(port, Math.round(TOTAL_BYTES * share))
  return {
    name,
    run: async effort => {
      const spending = beginSpending(meters)
      const { count, elapsedMs } = await once(effort)
      return { rate: (count * 1_000) / elapsedMs, ...spending(count) }
    },
  }
}
