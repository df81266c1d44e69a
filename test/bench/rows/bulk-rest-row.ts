/**
 * Row `bulk-rest`: so many bytes of a connection to an HTTP client: by `readexactly` of as much as one answer may have, over
 * and over, and by a service that pipes a socket into an answer.
 */
import { Child } from '../child.ts'
import type { Goal } from '../goals.ts'
import { type RunningService, startRivalService, startService } from '../hosting/service.ts'
import { beginSpending } from '../meters/spent.ts'
import { startFarEnd } from '../peers/far-end.ts'
import { orderFor } from '../peers/orders.ts'
import type { RestRequest, RestResult } from '../peers/rest-load.ts'
import type { Contender, Field, Row } from '../rounds.ts'

const MIB = 1_048_576
const PIECE_BYTES = 16 * MIB
const PIECES = 16

export function bulkRestRow(name: string, goals: readonly Goal[]): Row {
  const what = `${(PIECES * PIECE_BYTES) / MIB} MiB from one connection to an HTTP client`
  return { name, what, unit: 'MiB/s', goals, setUp }
}

async function setUp(): Promise<Field> {
  const peer = await startFarEnd()
  const { bulk: port } = peer.ports
  const load = new Child('./peers/rest-load.ts')
  await load.next()
  const ours = await startService({ targets: { bulk: { host: '127.0.0.1', port } } })
  const pipe = await startRivalService('rivals/http-pipe-service.ts', { port })
  const ask = (service: RunningService, requests: readonly RestRequest[]): Promise<RestResult> =>
    load.ask({ port: service.port, requests }) as Promise<RestResult>
  return {
    contenders: [
      contender('sockpool', ours, pieces => readPieces(ours, pieces, ask)),
      contender('pipe', pipe, pieces => {
        const path = `/bulk?bytes=${pieces * PIECE_BYTES}`
        return ask(pipe, [{ method: 'GET', path, headers: {}, body: '' }])
      }),
    ],
    close: async () => {
      await load.close()
      await Promise.all([ours.close(), pipe.close()])
      await peer.close()
    },
  }
}

type Ask = (service: RunningService, requests: readonly RestRequest[]) => Promise<RestResult>

/** The lease and what it sends are not on the clock: a client has them for long. */
async function readPieces(service: RunningService, pieces: number, ask: Ask): Promise<RestResult> {
  const Authorization = `Bearer ${service.token}`
  const json = { Authorization, 'Content-Type': 'application/json' }
  const bytes = { Authorization, 'Content-Type': 'application/octet-stream' }
  const wanted = Buffer.from(JSON.stringify({ target: 'bulk' })).toString('base64')
  const { last } = await ask(service, [{ method: 'POST', path: '/v1/leases', headers: json, body: wanted }])
  const path = `/v1/leases/${(JSON.parse(last) as { readonly id: string }).id}`
  const body = orderFor(pieces * PIECE_BYTES).toString('base64')
  await ask(service, [{ method: 'POST', path: `${path}/write`, headers: bytes, body }])
  const read = {
    method: 'POST',
    path: `${path}/readexactly?n=${PIECE_BYTES}`,
    headers: { Authorization },
    body: '',
  }
  const result = await ask(
    service,
    Array.from({ length: pieces }, () => read),
  )
  await ask(service, [
    { method: 'DELETE', path: `${path}?discard=true`, headers: { Authorization }, body: '' },
  ])
  return result
}

function contender(
  name: string,
  service: RunningService,
  take: (pieces: number) => Promise<RestResult>,
): Contender {
  return {
    name,
    run: async ({ share }) => {
      const pieces = Math.max(1, Math.round(PIECES * share))
      const spending = beginSpending(service.meters)
      const { bytes, elapsedMs } = await take(pieces)
      if (bytes !== pieces * PIECE_BYTES) throw new Error(`${bytes} bytes came`)
      return { rate: (bytes / MIB / elapsedMs) * 1_000, ...spending(bytes / MIB) }
    },
  }
}
