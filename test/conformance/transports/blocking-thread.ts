/** Makes plain blocking calls on a borrowed reader, one after the other, as it is told. */
import { parentPort, workerData } from 'node:worker_threads'
import { SockpoolError } from '../../../src/base/errors.ts'
import { borrowSource, type LentSource } from '../../../src/streams/blocking-channel-source.ts'
import { BlockingReader } from '../../../src/streams/blocking-reader.ts'
import type { BlockingAnswer, BlockingCall } from './blocking.ts'

const { lent, limit } = workerData as { lent: LentSource; limit: number | undefined }
const reader = new BlockingReader(borrowSource(lent), { limit })

parentPort?.on('message', (call: BlockingCall | null) => {
  if (call === null) parentPort?.close()
  else parentPort?.postMessage(answer(call))
})

function answer({ id, method, args }: BlockingCall): BlockingAnswer {
  try {
    const value = Reflect.apply(Reflect.get(reader, method), reader, args)
    return { id, value: value instanceof SockpoolError ? value.toJSON() : value }
  } catch (error) {
    if (error instanceof SockpoolError) return { id, error: error.toJSON() }
    return { id, typeError: String(error) }
  }
}
