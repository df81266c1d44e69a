/**
 * Row `forward-message`: `redis-benchmark -c 50` through a forward in message mode whose target has 8 connections, through
 * twemproxy with as many, and through HAProxy, which has a connection for each client.
 */
import type { Goal } from '../goals.ts'
import { startHaproxy } from '../hosting/haproxy.ts'
import { startNutcracker } from '../hosting/nutcracker.ts'
import { startForward } from '../hosting/service-forward.ts'
import { findTool, Tool } from '../hosting/tool.ts'
import { beginSpending } from '../meters/spent.ts'
import { PLACE, setKey } from '../redis-key.ts'
import type { Contender, Field, Row } from '../rounds.ts'
import type { Middle } from './forward-row.ts'

const CLIENTS = 50
const CONNECTIONS = 8
const REQUESTS = 40_000

export function forwardMessageRow(name: string, goals: readonly Goal[]): Row {
  const what = `redis-benchmark -c ${CLIENTS} -t get through a forward in message mode of ${CONNECTIONS} connections`
  return { name, what, unit: 'GET/s', goals, setUp }
}

async function setUp(): Promise<Field> {
  const program = findTool('redis-benchmark')
  const key = program === null ? null : await setKey()
  if (program === null || key === null) {
    const note = `${program === null ? 'redis-benchmark' : 'no Redis at 127.0.0.1:6379'}: left out`
    return { contenders: [], notes: [note], close: async () => {} }
  }
  const nutcracker = await startNutcracker(CONNECTIONS)
  const haproxy = await startHaproxy(PLACE.port)
  const middles: Readonly<Record<string, Middle>> = {
    sockpool: await startForward({ ...PLACE, preset: 'redis', pool: { max: CONNECTIONS } }, 'message'),
    ...(nutcracker !== null && { nutcracker }),
    ...(haproxy !== null && { haproxy }),
  }
  return {
    contenders: Object.entries(middles).map(([name, middle]) => contender(name, middle, program)),
    notes: [
      ...(nutcracker === null ? ['nutcracker is not installed: left out'] : []),
      ...(haproxy === null ? ['haproxy is not installed: left out'] : []),
    ],
    close: async () => {
      await Promise.all(Object.values(middles).map(middle => middle.close()))
      await key.close()
    },
  }
}

function contender(name: string, { port, meters }: Middle, program: string): Contender {
  return {
    name,
    run: async ({ share }) => {
      const count = Math.max(2_000, REQUESTS * share)
      const spending = beginSpending(meters)
      const rate = await benchmark(program, port, count)
      return { rate, ...spending(count) }
    },
  }
}

/** Requests per second, as redis-benchmark counts them. */
async function benchmark(program: string, port: number, requests: number): Promise<number> {
  const parameters = [
    ...['-h', '127.0.0.1', '-p', String(port), '-c', String(CLIENTS), '-n', String(requests)],
    ...['-t', 'get', '-d', '64', '--csv'],
  ]
  // It warns where it may not ask for the configuration, which twemproxy does not pass on.
  const tool = new Tool(program, parameters, { stdio: ['ignore', 'pipe', 'ignore'] })
  let output = ''
  for await (const chunk of tool.process.stdout ?? []) output += String(chunk)
  const rate = Number(/"GET","([\d.]+)"/.exec(output)?.[1])
  if (!(rate > 0)) throw new Error(`redis-benchmark said ${output}`)
  return rate
}
