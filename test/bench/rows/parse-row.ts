/**
 * Rows `parse` and `parse-run`: a long reply of NDJSON becomes values, while other connections of the same thread echo.
 *
 *   parse       sockpool  hands out the messages of a lease     alone  the same parser on the same bytes in memory, in a thread
 *               net       reads lines and parses them here             of its own that does nothing else
 *   parse-run   sockpool  runs a module on the lease, which     alone  the same loop on the same bytes in memory, likewise
 *                         reads lines and parses them
 *
 * `delay` is the 99th percentile of the main thread's event loop delay, in milliseconds; `spent` the processor time of all
 * threads, in seconds, which other load on the machine leaves alone. All contenders have the same
 * echoing beside them, and their parsers the same priority.
 */
import { once } from 'node:events'
import { connect } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { createPool } from '../../../src/library/create-pool.ts'
import type { Lease } from '../../../src/pool/lease/lease.ts'
import type { Pool } from '../../../src/pool/pool.ts'
import { beginStretch } from '../busy.ts'
import type { Goal } from '../goals.ts'
import { costed } from '../meters/in-process.ts'
import type { AloneData, ParseHow } from '../ours/parse-alone.ts'
import { startRecords } from '../peers/far-end.ts'
import { orderFor } from '../peers/orders.ts'
import { BLOCK_RECORDS, recordsBlock, sumOfBlock } from '../records.ts'
import type { Contender, Effort, Field, Measure, Row } from '../rounds.ts'

const MB = 1_000_000
const BLOCK = recordsBlock()
const TOTAL_MB = 100

/** What one run goes over. */
type Task = {
  readonly blocks: number
  readonly bytes: number
  readonly records: number
  /** What the ids of the records come to. */
  readonly sum: number
}

function taskOf({ share }: Effort): Task {
  const blocks = Math.ceil((share * TOTAL_MB * MB) / BLOCK.length)
  return {
    blocks,
    bytes: blocks * BLOCK.length,
    records: blocks * BLOCK_RECORDS,
    sum: blocks * sumOfBlock(),
  }
}

const ECHOES = 64
const ECHO_PAUSE_MS = 10
const MESSAGE = Buffer.alloc(64, 0x61)
const SAMPLE_MS = 2

const MODULE = new URL('../../fixtures/threads/sum-ids.ts', import.meta.url)

export function parseRow(name: string, how: ParseHow, goals: readonly Goal[]): Row {
  const what = `${TOTAL_MB} MB of NDJSON from one connection, beside ${ECHOES} echoing ones`
  return { name, what, unit: 'MB/s', goals, setUp: effort => setUp(how, taskOf(effort)) }
}

async function setUp(how: ParseHow, task: Task): Promise<Field> {
  const peer = await startRecords()
  const { echo, records } = peer.ports
  const pool = await createPool({
    ioWorkers: 1,
    targets: {
      echo: { host: '127.0.0.1', port: echo, pool: { max: ECHOES } },
      records: { host: '127.0.0.1', port: records },
    },
  })
  const echoing = await Echoing.start(pool)
  const lease = await pool.lease('records')
  const worker = new Worker(new URL('../ours/parse-alone.ts', import.meta.url), {
    workerData: { block: BLOCK, blocks: task.blocks, how } satisfies AloneData,
  })
  const ours = how === 'messages' ? () => sumOfMessages(lease, task) : () => sumOfRun(lease, task)
  const contenders: Contender[] = [
    { name: 'sockpool', run: () => measure(echoing, task, ours) },
    { name: 'alone', run: () => measure(echoing, task, () => sumAlone(worker)) },
  ]
  if (how === 'messages')
    contenders.push({ name: 'net', run: () => measure(echoing, task, () => sumOnMain(records, task)) })
  return {
    contenders: contenders.map(costed),
    close: async () => {
      await worker.terminate()
      await echoing.stop()
      await lease.discard()
      await pool.close()
      await peer.close()
    },
  }
}

async function sumOfMessages(lease: Lease, { bytes, records }: Task): Promise<number> {
  lease.writer.write(orderFor(bytes))
  let sum = 0
  let left = records
  for await (const value of lease.messages('ndjson')) {
    sum += (value as { readonly id: number }).id
    left -= 1
    if (left === 0) break
  }
  return sum
}

async function sumOfRun(lease: Lease, { bytes, records }: Task): Promise<number> {
  lease.writer.write(orderFor(bytes))
  return (await lease.run(MODULE, records)) as number
}

async function sumAlone(worker: Worker): Promise<number> {
  worker.postMessage('go')
  const [sum] = (await once(worker, 'message')) as [number]
  return sum
}

/** What a program does without threads. */
async function sumOnMain(port: number, task: Task): Promise<number> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true })
  socket.write(orderFor(task.bytes))
  let sum = 0
  let left = task.records
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let from = 0
    for (let at = bytes.indexOf(0x0a); at !== -1; at = bytes.indexOf(0x0a, from)) {
      sum += (JSON.parse(bytes.toString('utf8', from, at)) as { readonly id: number }).id
      from = at + 1
      left -= 1
    }
    if (left === 0) break
    rest = bytes.subarray(from)
  }
  return sum
}

/** Connections that say 64 bytes to their peer and hear them, again and again, with a pause after each. */
class Echoing {
  #count = 0
  #isOver = false
  readonly #loops: readonly Promise<void>[]

  static async start(pool: Pool): Promise<Echoing> {
    return new Echoing(await Promise.all(Array.from({ length: ECHOES }, () => pool.lease('echo'))))
  }

  constructor(leases: readonly Lease[]) {
    this.#loops = leases.map(lease => this.#loop(lease))
  }

  get count(): number {
    return this.#count
  }

  async stop(): Promise<void> {
    this.#isOver = true
    await Promise.all(this.#loops)
  }

  async #loop(lease: Lease): Promise<void> {
    while (!this.#isOver) {
      lease.writer.write(MESSAGE)
      await lease.reader.readExactly(MESSAGE.length)
      this.#count += 1
      await delay(ECHO_PAUSE_MS)
    }
    await lease.discard()
  }
}

async function measure(echoing: Echoing, task: Task, sumUp: () => Promise<number>): Promise<Measure> {
  const delays = monitorEventLoopDelay({ resolution: SAMPLE_MS })
  const { count } = echoing
  delays.enable()
  const end = beginStretch()
  const sum = await sumUp()
  const { elapsedMs, busy, cpu, spentMs } = end()
  delays.disable()
  if (sum !== task.sum) throw new Error(`the records came to ${sum} rather than ${task.sum}`)
  return {
    rate: (task.bytes / MB / elapsedMs) * 1_000,
    busy,
    cpu,
    spent: spentMs / 1_000,
    // A sample is the time between two ticks.
    delay: delays.percentile(99) / 1e6 - SAMPLE_MS,
    echoes: ((echoing.count - count) * 1_000) / elapsedMs,
  }
}
