/** A contender in a process of its own (host.ts), and what it spends there. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { GarbageMeter, TRACE_ARGUMENTS } from '../meters/garbage.ts'
import { beginSpending } from '../meters/spent.ts'
import type { Contender, Effort, Measure } from '../rounds.ts'
import type { Report } from './host.ts'
import type { Order } from './runner.ts'

/** Time for the last lines of the trace to arrive. */
const SETTLE_MS = 10

export type Hosted = Contender & { readonly close: () => Promise<void> }

export type HostedInput = {
  readonly name: string
  /** The file that exports `open`, beside the rows: `ours/echo.ts`. */
  readonly file: string
  readonly options: object
  /** Arguments of Node beside the usual. */
  readonly nodeArguments?: readonly string[]
}

export async function startHosted({ name, file, options, nodeArguments = [] }: HostedInput): Promise<Hosted> {
  const module = new URL(`../${file}`, import.meta.url).href
  const child = fork(new URL('./host.ts', import.meta.url), [module, JSON.stringify(options)], {
    execArgv: [...TRACE_ARGUMENTS, ...nodeArguments],
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  })
  const { stdout, pid } = child
  if (stdout === null || pid === undefined) throw new Error(`${file} was not started`)
  const garbage = new GarbageMeter(stdout, line => process.stderr.write(`${line}\n`))
  await nextMessage(child, file)
  return {
    name,
    run: effort => runOnce(child, file, effort, { pids: [pid], freed: () => garbage.freed }),
    close: () => endChild(child),
  }
}

async function runOnce(
  child: ChildProcess,
  file: string,
  { roundMs, share }: Effort,
  meters: Parameters<typeof beginSpending>[0],
): Promise<Measure> {
  const spending = beginSpending(meters)
  child.send({ forMs: roundMs, share } satisfies Order)
  const { count, elapsedMs, others } = (await nextMessage(child, file)) as Report
  await delay(SETTLE_MS)
  return { rate: (count * 1_000) / elapsedMs, ...others, ...spending(count) }
}

/** The next message of the child. Rejects when it ends instead. */
async function nextMessage(child: ChildProcess, file: string): Promise<unknown> {
  const over = new AbortController()
  const ended = once(child, 'exit', { signal: over.signal }).then(([code]) => {
    throw new Error(`${file} exited with code ${code}`)
  })
  ended.catch(() => {})
  try {
    const [message] = await Promise.race([once(child, 'message', { signal: over.signal }), ended])
    return message
  } finally {
    over.abort()
  }
}

async function endChild(child: ChildProcess): Promise<void> {
  if (!child.connected) return
  const exited = once(child, 'exit')
  child.disconnect()
  // One that does not close in time is worth no wait.
  const killer = setTimeout(() => child.kill('SIGKILL'), 5_000)
  await exited
  clearTimeout(killer)
}
