/**
 * Row `exchange-redis`: GET of 64 bytes from Redis over HTTP, of 32 callers at once: by `POST /v1/exchange` over one shared
 * connection on one HTTP thread, and by Webdis, a server in C, with two threads.
 */
import type { Goal } from '../goals.ts'
import { type HttpRequest, httpContender } from '../hosting/http-load.ts'
import { writeScratch } from '../hosting/scratch.ts'
import { startService } from '../hosting/service.ts'
import { findTool, freePort, Tool, waitForPort } from '../hosting/tool.ts'
import { GET, KEY, PLACE, setKey } from '../redis-key.ts'
import type { Contender, Field, Row } from '../rounds.ts'

const CALLERS = 32

export function exchangeRedisRow(name: string, goals: readonly Goal[]): Row {
  const what = `GET of 64 bytes from Redis over HTTP, ${CALLERS} callers`
  return { name, what, unit: 'req/s', goals, setUp }
}

async function setUp(): Promise<Field> {
  const key = await setKey()
  if (key === null)
    return { contenders: [], notes: ['no Redis at 127.0.0.1:6379: left out'], close: async () => {} }
  const service = await startService({
    targets: { cache: { ...PLACE, preset: 'redis', multiplex: { connections: 1 } } },
  })
  const webdis = await startWebdis()
  const ours = httpContender('sockpool', service, CALLERS, ourRequest(service.token))
  return {
    contenders: webdis === null ? [ours] : [ours, webdis.contender],
    notes: webdis === null ? ['webdis is not installed: left out'] : [],
    close: async () => {
      await Promise.all([service.close(), webdis?.close()])
      await key.close()
    },
  }
}

function ourRequest(token: string): HttpRequest {
  const headers = {
    Authorization: `Bearer ${token}`,
    'Content-Type': 'application/json',
    Accept: 'application/json',
  }
  const body = JSON.stringify({ target: 'cache', write: { text: GET } })
  return { method: 'POST', path: '/v1/exchange', headers, body }
}

async function startWebdis(): Promise<{
  readonly contender: Contender
  readonly close: () => Promise<void>
} | null> {
  const program = findTool('webdis')
  if (program === null) return null
  const port = await freePort()
  const config = {
    redis_host: PLACE.host,
    redis_port: PLACE.port,
    http_host: '127.0.0.1',
    http_port: port,
    threads: 2,
    daemonize: false,
    database: 0,
    verbosity: 0,
    logfile: '/dev/null',
  }
  const tool = new Tool(program, [writeScratch('webdis.json', JSON.stringify(config))], { stdio: 'ignore' })
  await waitForPort(port)
  const request: HttpRequest = { method: 'GET', path: `/GET/${KEY}`, headers: {}, body: null }
  const served = { port, meters: { pids: [tool.pid] } }
  return { contender: httpContender('webdis', served, CALLERS, request), close: () => tool.close() }
}
