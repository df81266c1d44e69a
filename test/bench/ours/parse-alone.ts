/** What rows `parse` and `parse-run` are held to: the same parser, which has all bytes in memory and a thread to itself. */
import { parentPort, workerData } from 'node:worker_threads'
import { ndjson } from '../../../src/parse/formats/ndjson.ts'
import { giveWay } from '../../../workers/parse/thread-priority.ts'

/** `messages`: the parser of the format; `run`: lines, and JSON.parse of each. */
export type ParseHow = 'messages' | 'run'

export type AloneData = { readonly block: Uint8Array; readonly blocks: number; readonly how: ParseHow }

const { block, blocks, how } = workerData as AloneData
// All of them, as they would have come: one block alone would stay in the processor's cache.
const input = Buffer.concat(Array.from({ length: blocks }, () => block))
const decoder = await ndjson.configure(undefined).open()

function sumOfMessages(): number {
  let sum = 0
  for (let from = 0; from < input.length; ) {
    const rest = input.subarray(from)
    const length = decoder.cutter().push(rest)
    sum += (decoder.decode(rest.subarray(0, length)) as { readonly id: number }).id
    from += length
  }
  return sum
}

function sumOfLines(): number {
  let sum = 0
  for (let from = 0; from < input.length; ) {
    const to = input.indexOf(0x0a, from) + 1
    sum += (JSON.parse(input.subarray(from, to).toString('utf8')) as { readonly id: number }).id
    from = to
  }
  return sum
}

giveWay()
parentPort?.on('message', () => {
  parentPort?.postMessage(how === 'messages' ? sumOfMessages() : sumOfLines())
})
