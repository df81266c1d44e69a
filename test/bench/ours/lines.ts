/** Lines of 100 bytes in at one leased connection, one by one or in batches of those that are there. */
import { createPool } from '../../../src/library/create-pool.ts'
import type { StreamReader } from '../../../src/streams/reading/stream-reader.ts'
import { bytesOf } from '../byte-tally.ts'
import type { Runner } from '../hosting/runner.ts'
import { LINE_BYTES, LINES_SHARE } from '../line-bytes.ts'
import { orderFor } from '../peers/orders.ts'

export type LinesOptions = { readonly port: number; readonly how: 'line' | 'batches' }

export async function open({ port, how }: LinesOptions): Promise<Runner> {
  const pool = await createPool({ ioWorkers: 1, targets: { lines: { host: '127.0.0.1', port } } })
  const { reader, writer } = await pool.lease('lines')
  return {
    run: async order => {
      const lines = Math.floor((bytesOf(order) * LINES_SHARE) / LINE_BYTES)
      const beganMs = performance.now()
      writer.write(orderFor(lines * LINE_BYTES))
      const bytes = how === 'line' ? await byLine(reader, lines) : await byBatches(reader, lines)
      if (bytes !== lines * LINE_BYTES) throw new Error(`${bytes} bytes came`)
      return { count: lines, elapsedMs: performance.now() - beganMs }
    },
    close: () => pool.close(),
  }
}

async function byLine(reader: StreamReader, lines: number): Promise<number> {
  let bytes = 0
  for (let line = 0; line < lines; line++) bytes += (await reader.readLine()).length
  return bytes
}

async function byBatches(reader: StreamReader, lines: number): Promise<number> {
  let bytes = 0
  let left = lines
  for await (const batch of reader.lineBatches()) {
    for (const line of batch) bytes += line.length
    left -= batch.length
    if (left === 0) break
  }
  return bytes
}
