/** Callers over HTTP with keep-alive connections: `wrk` where it is installed, else a process of Node. */
import { setTimeout as delay } from 'node:timers/promises'
import { Child } from '../child.ts'
import { beginSpending, type Meters } from '../meters/spent.ts'
import type { LoadOrder, LoadResult } from '../peers/exchange-load.ts'
import type { Contender } from '../rounds.ts'
import { writeScratch } from './scratch.ts'
import { findTool, Tool } from './tool.ts'

/** What is asked for, over and over. */
export type HttpRequest = {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
}

export type Served = { readonly port: number; readonly meters: Meters }

const SETTLE_MS = 10
let scripts = 0

/** A contender that answers such requests at a port, of so many callers. */
export function httpContender(
  name: string,
  { port, meters }: Served,
  callers: number,
  request: HttpRequest,
): Contender {
  const wrk = findTool('wrk')
  const script = wrk === null ? '' : writeScratch(`wrk-${scripts++}.lua`, luaOf(request))
  return {
    name,
    run: async ({ roundMs }) => {
      const spending = beginSpending(meters)
      const { count, elapsedMs } =
        wrk === null
          ? await nodeLoad({ port, callers, forMs: roundMs, ...request })
          : await wrkLoad(wrk, script, port, callers)
      await delay(SETTLE_MS)
      return { rate: (count * 1_000) / elapsedMs, ...spending(count) }
    },
  }
}

function luaOf({ method, path, headers, body }: HttpRequest): string {
  const lines = [
    `wrk.method = ${JSON.stringify(method)}`,
    `wrk.path = ${JSON.stringify(path)}`,
    ...Object.entries(headers).map(
      ([key, value]) => `wrk.headers[${JSON.stringify(key)}] = ${JSON.stringify(value)}`,
    ),
    ...(body === null ? [] : [`wrk.body = [==[${body}]==]`]),
    'function done(summary)',
    '  local e = summary.errors',
    '  local failed = e.connect + e.read + e.write + e.status + e.timeout',
    '  io.write(string.format("sum %d %d %d\\n", summary.requests, summary.duration, failed))',
    'end',
  ]
  return `${lines.join('\n')}\n`
}

/** A second, as wrk counts in seconds. */
async function wrkLoad(wrk: string, script: string, port: number, callers: number): Promise<LoadResult> {
  const url = `http://127.0.0.1:${port}/`
  const tool = new Tool(wrk, ['-t', '1', '-c', String(callers), '-d', '1s', '-s', script, url])
  let output = ''
  for await (const chunk of tool.process.stdout ?? []) output += String(chunk)
  const [, requests, us, failed] = /^sum (\d+) (\d+) (\d+)/m.exec(output) ?? []
  if (failed !== '0') throw new Error(`requests failed: ${output}`)
  return { count: Number(requests), elapsedMs: Number(us) / 1_000 }
}

async function nodeLoad(order: LoadOrder): Promise<LoadResult> {
  const child = new Child('./peers/exchange-load.ts')
  await child.next()
  const result = (await child.ask(order)) as LoadResult
  await child.close()
  return result
}
