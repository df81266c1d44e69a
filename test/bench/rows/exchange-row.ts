/**
 * Rows `exchange…`: `POST /v1/exchange` of a line of 64 bytes, of 32 callers at once. Each contender is a service in a process
 * of its own; ours is the whole service, with a token and the access log as it is by default.
 *
 *   exchange           against a bare Fastify route over hand-pooled sockets, and over generic-pool
 *   exchange-threads   `http.threads: 2` against 1
 *   exchange-tcp       pooled by us against a service that dials for each request
 *   exchange-tls       likewise, over TLS
 */
import type { Goal } from '../goals.ts'
import { type HttpRequest, httpContender } from '../hosting/http-load.ts'
import { writeScratch } from '../hosting/scratch.ts'
import { type RunningService, startRivalService, startService } from '../hosting/service.ts'
import { startFarEnd } from '../peers/far-end.ts'
import { startTlsPeer } from '../peers/tls-far-end.ts'
import type { Field, Row } from '../rounds.ts'

export type ExchangeKind = 'bare' | 'threads' | 'tcp' | 'tls'

const CALLERS = 32
const BODY = JSON.stringify({ target: 'echo', write: { text: `${'a'.repeat(63)}\n` }, read: 'line' })

const WHAT: Readonly<Record<ExchangeKind, string>> = {
  bare: '',
  threads: ', two HTTP threads and one',
  tcp: ', beside a new TCP connection for each',
  tls: ' over TLS, beside a new TLS connection for each',
}

export function exchangeRow(name: string, kind: ExchangeKind, goals: readonly Goal[]): Row {
  const what = `POST /v1/exchange, ${CALLERS} callers${WHAT[kind]}`
  return { name, what, unit: 'req/s', goals, setUp: () => setUp(kind) }
}

async function setUp(kind: ExchangeKind): Promise<Field> {
  const peer = kind === 'tls' ? await startTlsPeer() : await startFarEnd()
  const place = { port: peer.ports.echo, ca: 'ca' in peer ? peer.ca : null }
  const services = await servicesOf(kind, place)
  return {
    contenders: Object.entries(services).map(([name, service]) =>
      httpContender(name, service, CALLERS, requestOf(service.token)),
    ),
    close: async () => {
      await Promise.all(Object.values(services).map(service => service.close()))
      await peer.close()
    },
  }
}

type EchoPlace = { readonly port: number; readonly ca: string | null }

async function servicesOf(kind: ExchangeKind, place: EchoPlace): Promise<Record<string, RunningService>> {
  const bare = 'rivals/bare-service.ts'
  switch (kind) {
    case 'bare':
      return {
        sockpool: await ours(place),
        bare: await startRivalService(bare, { ...place, pooled: true }),
        'generic-pool': await startRivalService('rivals/generic-pool-service.ts', { ...place, max: CALLERS }),
      }
    case 'threads':
      return { sockpool: await ours(place, { threads: 2 }), 'one thread': await ours(place) }
    case 'tcp':
      return { sockpool: await ours(place), 'dial each': await startRivalService(bare, place) }
    case 'tls':
      return { sockpool: await ours(place), 'dial each': await startRivalService(bare, place) }
    default:
      return kind satisfies never
  }
}

function ours({ port, ca }: EchoPlace, http: object = {}): Promise<RunningService> {
  const tls = ca === null ? false : { ca: writeScratch('ca.pem', ca), servername: 'localhost' }
  const pool = { max: CALLERS }
  return startService({ http, targets: { echo: { host: '127.0.0.1', port, tls, pool, reuse: 'clean' } } })
}

function requestOf(token: string): HttpRequest {
  return {
    method: 'POST',
    path: '/v1/exchange',
    headers: {
      Authorization: `Bearer ${token}`,
      'Content-Type': 'application/json',
      Accept: 'application/json',
    },
    body: BODY,
  }
}
