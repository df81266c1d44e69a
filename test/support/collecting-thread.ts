/** A thread that looks for V8's collector again and again, while others do. All start at once, and each says when it is done. */
import { parentPort, workerData } from 'node:worker_threads'
import { collector } from '../../src/base/collector.ts'

export type CollectingOrder = { readonly gate: Int32Array; readonly rounds: number }

const { gate, rounds } = workerData as CollectingOrder
parentPort?.postMessage('ready')
Atomics.wait(gate, 0, 0)
for (let round = 0; round < rounds; round++) collector()
parentPort?.postMessage('done')
