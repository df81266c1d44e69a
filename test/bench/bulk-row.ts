/**
 * Row `bulk`: so many bytes in at one connection, as fast as they come. Whoever receives them counts them and reads
 * the first byte of each chunk on the main thread.
 *
 *   sockpool        reads into a buffer of its own     net-onread   does so too
 *   sockpool-read   gets a fresh Buffer for each read  net, relay   do so too
 */
import { once } from 'node:events'
import { connect } from 'node:net'
import { Worker } from 'node:worker_threads'
import { createPool } from '../../src/library/create-pool.ts'
import type { Lease } from '../../src/pool/lease/lease.ts'
import type { Pool } from '../../src/pool/pool.ts'
import type { RelayData, ToRelay } from './bulk-relay.ts'
import { beginStretch } from './busy.ts'
import { startPeer } from './child.ts'
import type { Contender, Field, Goal, Measure, Row } from './rounds.ts'

const MIB = 1_048_576
const TOTAL_BYTES = 512 * MIB
const READ_BYTES = 65_536
/** Bytes after which the main thread lets the relay send more. */
const CREDIT_BYTES = MIB

export function bulkRow(name: string, goals: readonly Goal[]): Row {
  const what = `${TOTAL_BYTES / MIB} MiB received over one connection`
  return { name, what, unit: 'MiB/s', goals, setUp }
}

async function setUp(): Promise<Field> {
  const peer = await startPeer()
  const port = peer.ports.bulk
  const pool = await createPool({ ioWorkers: 1, targets: { bulk: { host: '127.0.0.1', port } } })
  const relay = new Worker(new URL('./bulk-relay.ts', import.meta.url), {
    workerData: { port, creditBytes: CREDIT_BYTES } satisfies RelayData,
  })
  await once(relay, 'message')
  return {
    contenders: [
      await pooledBulk('sockpool', pool, readInto),
      await pooledBulk('sockpool-read', pool, ({ reader }) => reader.read(READ_BYTES)),
      await plainBulk(port),
      await onreadBulk(port),
      relayedBulk(relay),
    ],
    close: async () => {
      await relay.terminate()
      await pool.close()
      await peer.close()
    },
  }
}

async function pooledBulk(
  name: string,
  pool: Pool,
  receive: (lease: Lease, target: Buffer) => Promise<Uint8Array>,
): Promise<Contender> {
  const lease = await pool.lease('bulk')
  const target = Buffer.alloc(READ_BYTES)
  const run = (): Promise<Measure> =>
    measure(async tally => {
      lease.writer.write(order())
      while (!tally.isComplete) tally.add(await receive(lease, target))
    })
  return { name, run }
}

async function readInto({ reader }: Lease, target: Buffer): Promise<Uint8Array> {
  return target.subarray(0, await reader.readInto(target))
}

type OnChunk = (chunk: Uint8Array) => void

/** A contender that is called with each chunk. `listen` says who hears of chunks from now on. */
function calledBulk(name: string, ask: () => void, listen: (onChunk: OnChunk) => void): Contender {
  const run = (): Promise<Measure> =>
    measure(
      tally =>
        new Promise(resolve => {
          listen(chunk => {
            tally.add(chunk)
            if (tally.isComplete) resolve()
          })
          ask()
        }),
    )
  return { name, run }
}

async function plainBulk(port: number): Promise<Contender> {
  let onChunk: OnChunk = () => {}
  const socket = connect({ host: '127.0.0.1', port, noDelay: true })
  await once(socket, 'connect')
  socket.unref()
  socket.on('data', chunk => onChunk(chunk))
  return calledBulk(
    'net',
    () => socket.write(order()),
    next => (onChunk = next),
  )
}

async function onreadBulk(port: number): Promise<Contender> {
  let onChunk: OnChunk = () => {}
  const callback = (count: number, buffer: Uint8Array): boolean => {
    onChunk(buffer.subarray(0, count))
    return true
  }
  const onread = { buffer: Buffer.alloc(READ_BYTES), callback }
  const socket = connect({ host: '127.0.0.1', port, noDelay: true, onread })
  await once(socket, 'connect')
  socket.unref()
  return calledBulk(
    'net-onread',
    () => socket.write(order()),
    next => (onChunk = next),
  )
}

function relayedBulk(relay: Worker): Contender {
  let onChunk: OnChunk = () => {}
  let uncredited = 0
  relay.on('message', (chunk: Uint8Array) => {
    uncredited += chunk.length
    if (uncredited >= CREDIT_BYTES) {
      uncredited -= CREDIT_BYTES
      relay.postMessage({ kind: 'credit' } satisfies ToRelay)
    }
    onChunk(chunk)
  })
  const ask = (): void => relay.postMessage({ kind: 'write', bytes: order() } satisfies ToRelay)
  return calledBulk('relay', ask, next => (onChunk = next))
}

/** What a receiver has seen of one run. */
class Tally {
  #bytes = 0
  #sum = 0

  add(chunk: Uint8Array): void {
    this.#bytes += chunk.length
    this.#sum += chunk[0] ?? 0
  }

  get isComplete(): boolean {
    return this.#bytes >= TOTAL_BYTES
  }

  /** Uses what was read, so that reading it cannot be optimised away. */
  check(): void {
    if (this.#bytes !== TOTAL_BYTES || this.#sum === 0) throw new Error(`${this.#bytes} bytes came`)
  }
}

function order(): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(TOTAL_BYTES))
  return bytes
}

async function measure(receive: (tally: Tally) => Promise<void>): Promise<Measure> {
  const tally = new Tally()
  const end = beginStretch()
  await receive(tally)
  const { elapsedMs, busy, cpu } = end()
  tally.check()
  return { rate: (TOTAL_BYTES / MIB / elapsedMs) * 1_000, busy, cpu }
}
