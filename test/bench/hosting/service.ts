/**
 * The service of these sources as a process of its own, as `sockpool serve` runs it: a configuration file, a token, and the
 * access log as it is by default, to a pipe that is read.
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import { GarbageMeter, TRACE_ARGUMENTS } from '../meters/garbage.ts'
import type { Meters } from '../meters/spent.ts'
import { writeScratch } from './scratch.ts'
import { Tool } from './tool.ts'

const TOKEN = 'bench-token-of-forty-three-characters-0000000'
const CLI = fileURLToPath(new URL('../../../src/cli.ts', import.meta.url))
const FIRST = new URL('./first-collection.ts', import.meta.url).href

let count = 0

export type RunningService = {
  readonly port: number
  readonly token: string
  readonly meters: Meters
  readonly close: () => Promise<void>
}

/** `config`: what the file says beside listener and tokens. */
export async function startService(config: Readonly<Record<string, unknown>>): Promise<RunningService> {
  const sha256 = createHash('sha256').update(TOKEN).digest('hex')
  const auth = { tokens: [{ name: 'bench', sha256, targets: ['*'], admin: true }] }
  const file = writeScratch(
    `service-${count++}.yaml`,
    stringify({ listen: '127.0.0.1:0', ioWorkers: 1, auth, ...config }),
  )
  return startNode('the service', [...TRACE_ARGUMENTS, '--import', FIRST, CLI, 'serve', '--config', file])
}

/** A rival that serves HTTP: a script beside this folder that is given its options and prints `listening on URL`. */
export function startRivalService(script: string, options: object): Promise<RunningService> {
  const path = fileURLToPath(new URL(`../${script}`, import.meta.url))
  return startNode(script, [...TRACE_ARGUMENTS, '--import', FIRST, path, JSON.stringify(options)])
}

async function startNode(name: string, parameters: readonly string[]): Promise<RunningService> {
  const tool = new Tool(process.execPath, parameters, { stdio: ['ignore', 'pipe', 'pipe'] })
  let lastSaid = ''
  tool.process.stderr?.on('data', (chunk: Buffer) => {
    lastSaid = `${lastSaid}${String(chunk)}`.slice(-2_000)
  })
  const listening = Promise.withResolvers<number>()
  const garbage = new GarbageMeter(tool.process.stdout as Readable, line => {
    const port = /^listening on http:\/\/[^:]+:(\d+)/.exec(line)?.[1]
    if (port !== undefined) listening.resolve(Number(port))
  })
  once(tool.process, 'exit').then(([code]) =>
    listening.reject(new Error(`${name} exited with code ${code}: ${lastSaid}`)),
  )
  const port = await listening.promise
  return {
    port,
    token: TOKEN,
    meters: { pids: [tool.pid], freed: () => garbage.freed },
    close: () => tool.close(),
  }
}
