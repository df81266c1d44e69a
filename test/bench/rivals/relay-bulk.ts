/** So many bytes in at a socket of another thread, which posts each chunk, transferred (bulk-relay.ts). */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { ByteTally, bytesOf } from '../byte-tally.ts'
import type { Outcome, Runner } from '../hosting/runner.ts'
import { orderFor } from '../peers/orders.ts'
import type { RelayData, ToRelay } from './bulk-relay.ts'

/** Bytes after which the main thread lets the relay send more. */
const CREDIT_BYTES = 1_048_576

export async function open({ port }: { readonly port: number }): Promise<Runner> {
  const workerData: RelayData = { port, creditBytes: CREDIT_BYTES }
  const relay = new Worker(new URL('./bulk-relay.ts', import.meta.url), { workerData, name: 'relay' })
  await once(relay, 'message')
  let onChunk: (chunk: Uint8Array) => void = () => {}
  let uncredited = 0
  relay.on('message', (chunk: Uint8Array) => {
    uncredited += chunk.length
    if (uncredited >= CREDIT_BYTES) {
      uncredited -= CREDIT_BYTES
      relay.postMessage({ kind: 'credit' } satisfies ToRelay)
    }
    onChunk(chunk)
  })
  return {
    run: order =>
      new Promise<Outcome>(resolve => {
        const tally = new ByteTally(bytesOf(order))
        onChunk = chunk => {
          tally.add(chunk)
          if (tally.isComplete) resolve(tally.outcome())
        }
        relay.postMessage({ kind: 'write', bytes: orderFor(bytesOf(order)) } satisfies ToRelay)
      }),
    close: async () => {
      await relay.terminate()
    },
  }
}
