/**
 * Row `parse-rest`: large bodies of NDJSON at once over REST, and how long `/livez` takes meanwhile. Beside ours stands a server
 * that does the same on its one thread, as one writes it by hand.
 */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { createPool } from '../../../src/library/create-pool.ts'
import { handBuiltApp } from '../../support/hand-built-app.ts'
import { beginStretch } from '../busy.ts'
import { Child } from '../child.ts'
import type { Goal } from '../goals.ts'
import { costed } from '../meters/in-process.ts'
import type { ParseLoadOrder, ParseLoadResult, ProbeOrder } from '../peers/parse-rest-load.ts'
import { type Contender, type Field, quantile, type Row } from '../rounds.ts'

const CALLERS = 8
const BODY_BYTES = 10_000_000
const NDJSON = 'application/x-ndjson'

export function parseRestRow(name: string, goals: readonly Goal[]): Row {
  const what = `POST /v1/parse/ndjson, ${CALLERS} bodies of 10 MB at once, and /livez`
  return { name, what, unit: 'MB/s', goals, setUp }
}

async function setUp(): Promise<Field> {
  const load = new Child('./peers/parse-rest-load.ts')
  const probe = new Child('./peers/parse-rest-load.ts')
  await Promise.all([load.next(), probe.next()])
  const pool = await createPool({ ioWorkers: 1 })
  const app = handBuiltApp(pool)
  await app.listen({ host: '127.0.0.1', port: 0 })
  const plain = await plainServer()
  return {
    contenders: [
      contender('sockpool', portOf(app.server), NDJSON, load, probe),
      contender('one thread', portOf(plain), NDJSON, load, probe),
    ],
    close: async () => {
      await Promise.all([load.close(), probe.close()])
      plain.close()
      await app.close()
      await pool.close()
    },
  }
}

function contender(name: string, port: number, accept: string, load: Child, probe: Child): Contender {
  const begin: ProbeOrder = { kind: 'probe', port }
  const stop: ProbeOrder = { kind: 'stop' }
  return costed({
    name,
    run: async ({ share }) => {
      const bodyBytes = Math.ceil(BODY_BYTES * share)
      const order: ParseLoadOrder = { kind: 'load', port, callers: CALLERS, bodyBytes, accept }
      await probe.ask(begin)
      const end = beginStretch()
      const { bytes, elapsedMs } = (await load.ask(order)) as ParseLoadResult
      const { busy, cpu } = end()
      const tookMs = (await probe.ask(stop)) as number[]
      return { rate: bytes / 1_000 / elapsedMs, busy, cpu, livezP99Ms: quantile(tookMs, 0.99) }
    },
  })
}

/** Gathers the body, parses its lines and writes them out again. */
async function plainServer(): Promise<Server> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const lines = Buffer.concat(chunks).toString().split('\n')
      const values = lines.filter(line => line.trim() !== '').map(line => JSON.parse(line) as unknown)
      response.end(values.map(value => `${JSON.stringify(value)}\n`).join(''))
    })
  })
  // Between two rounds its callers' connections wait.
  server.keepAliveTimeout = 600_000
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

function portOf(server: { address(): unknown }): number {
  const address = server.address()
  return typeof address === 'object' && address !== null && 'port' in address ? Number(address.port) : 0
}
