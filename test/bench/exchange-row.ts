/**
 * Row `exchange`: `POST /v1/exchange` over HTTP, through our pool and through a pool of plain sockets on the main
 * thread. Both stand behind the same app, so the row measures what the pool costs a request.
 */
import type { FastifyInstance } from 'fastify'
import { createPool } from '../../src/library/create-pool.ts'
import { type HandBuiltPool, handBuiltApp } from '../support/hand-built-app.ts'
import { beginStretch } from './busy.ts'
import { Child, startPeer } from './child.ts'
import type { LoadOrder, LoadResult } from './exchange-load.ts'
import { PlainPool } from './plain-pool.ts'
import type { Contender, Field, Goal, Row } from './rounds.ts'

const CALLERS = 32
const ROUND_MS = 600
const BODY = JSON.stringify({ target: 'echo', write: { text: `${'a'.repeat(63)}\n` }, read: 'line' })

export function exchangeRow(name: string, goals: readonly Goal[]): Row {
  return { name, what: `POST /v1/exchange, ${CALLERS} callers`, unit: 'req/s', goals, setUp }
}

async function setUp(): Promise<Field> {
  const peer = await startPeer()
  const load = new Child('./exchange-load.ts')
  await load.next()
  const port = peer.ports.echo
  const pool = await createPool({
    ioWorkers: 1,
    targets: { echo: { host: '127.0.0.1', port, pool: { max: CALLERS }, reuse: 'clean' } },
  })
  const plain = new PlainPool(port, CALLERS)
  const ours = await serve(pool)
  const rival = await serve(plain)
  return {
    contenders: [contender('sockpool', ours, load), contender('generic-pool', rival, load)],
    close: async () => {
      await load.close()
      await Promise.all([ours.close(), rival.close()])
      await Promise.all([pool.close(), plain.close()])
      await peer.close()
    },
  }
}

async function serve(pool: HandBuiltPool): Promise<FastifyInstance> {
  const app = handBuiltApp(pool)
  await app.listen({ host: '127.0.0.1', port: 0 })
  return app
}

function contender(name: string, app: FastifyInstance, load: Child): Contender {
  const address = app.server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const order: LoadOrder = { port, callers: CALLERS, forMs: ROUND_MS, body: BODY }
  return {
    name,
    run: async () => {
      const end = beginStretch()
      const { count, elapsedMs } = (await load.ask(order)) as LoadResult
      const { busy, cpu } = end()
      return { rate: (count * 1_000) / elapsedMs, busy, cpu }
    },
  }
}
