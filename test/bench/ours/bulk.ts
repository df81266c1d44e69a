/**
 * So many bytes in at one leased connection, taken in one of these ways:
 *
 *   read     a fresh Buffer for each read     into    a buffer of the caller's
 *   chunks   `for await` over fresh Buffers   reuse   `for await` over memory that is the reader's until the next
 *   pipe     a Duplex, piped
 */
import { createPool } from '../../../src/library/create-pool.ts'
import type { Lease } from '../../../src/pool/lease/lease.ts'
import type { ChunkOptions } from '../../../src/streams/reading/read-options.ts'
import { ByteTally, bytesOf } from '../byte-tally.ts'
import { CountingSink } from '../counting-sink.ts'
import type { Order, Outcome, Runner } from '../hosting/runner.ts'
import { orderFor } from '../peers/orders.ts'

export type BulkHow = 'read' | 'chunks' | 'reuse' | 'into' | 'pipe'

export type BulkOptions = { readonly port: number; readonly how: BulkHow }

const READ_BYTES = 65_536

export async function open({ port, how }: BulkOptions): Promise<Runner> {
  const pool = await createPool({ ioWorkers: 1, targets: { bulk: { host: '127.0.0.1', port } } })
  const lease = await pool.lease('bulk')
  return { run: receiverOf(how, lease), close: () => pool.close() }
}

function receiverOf(how: BulkHow, lease: Lease): (order: Order) => Promise<Outcome> {
  const { reader, writer } = lease
  switch (how) {
    case 'read':
      return order => byCalls(order, writer, () => reader.read(READ_BYTES))
    case 'into': {
      const target = Buffer.alloc(READ_BYTES)
      return order => byCalls(order, writer, async () => target.subarray(0, await reader.readInto(target)))
    }
    case 'chunks':
      return order => byChunks(order, lease, {})
    case 'reuse':
      return order => byChunks(order, lease, { reuse: true })
    case 'pipe': {
      const sink = new CountingSink()
      // At the end of the bench its lease is killed.
      const duplex = lease.toDuplex().on('error', () => {})
      duplex.pipe(sink)
      return order => sink.take(bytesOf(order), bytes => duplex.write(orderFor(bytes)))
    }
    default:
      return how satisfies never
  }
}

async function byCalls(
  order: Order,
  writer: Lease['writer'],
  receive: () => Promise<Uint8Array>,
): Promise<Outcome> {
  const tally = new ByteTally(bytesOf(order))
  writer.write(orderFor(bytesOf(order)))
  while (!tally.isComplete) tally.add(await receive())
  return tally.outcome()
}

/** `fresh`: the share of chunks that lie in memory of their own; with `reuse` none should. */
async function byChunks(order: Order, { reader, writer }: Lease, options: ChunkOptions): Promise<Outcome> {
  const tally = new ByteTally(bytesOf(order))
  writer.write(orderFor(bytesOf(order)))
  let chunks = 0
  const memories = new Set<ArrayBufferLike>()
  for await (const chunk of reader.chunks(options)) {
    tally.add(chunk)
    if (chunks++ < 64) memories.add(chunk.buffer)
    if (tally.isComplete) break
  }
  return tally.outcome('reuse' in options ? { fresh: (memories.size - 1) / Math.min(chunks, 64) } : {})
}
