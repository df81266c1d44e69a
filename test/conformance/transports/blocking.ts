/** BlockingReader in a thread of its own, over a channel whose I/O worker's end is in the hands of the test. */
import { Worker } from 'node:worker_threads'
import { onTestFinished } from 'vitest'
import { type ErrorFields, reviveError } from '../../../src/base/errors.ts'
import { IN } from '../../../src/channel/channel.ts'
import { allocateDoorbell } from '../../../src/channel/doorbell.ts'
import { SlabAllocator, SlabNumbers } from '../../../src/channel/slab.ts'
import type { Link, PlainReader, Transport } from '../transport.ts'

/** What goes to the thread, and what comes back. */
export type BlockingCall = { readonly id: number; readonly method: string; readonly args: readonly unknown[] }
export type BlockingAnswer = { readonly id: number } & (
  | { readonly value: unknown }
  | { readonly error: ErrorFields }
  | { readonly typeError: string }
)

export const blocking: Transport = {
  name: 'blocking',
  traits: new Set(['break']),
  open: async ({ limit } = {}) => {
    const channel = new SlabAllocator(
      { inboundBytes: 131_072, outboundBytes: 4_096 },
      new SlabNumbers(),
    ).take()
    const producer = channel.inboundProducer()
    const lent = {
      memory: channel.memory,
      doorbell: allocateDoorbell(),
      position: { replay: 0, kept: 0, front: new Uint8Array() },
    }
    const worker = new Worker(new URL('blocking-thread.ts', import.meta.url), { workerData: { lent, limit } })
    const exited = new Promise(resolve => worker.once('exit', resolve))
    onTestFinished(async () => {
      // It may block for ever otherwise.
      channel.endInbound('closed')
      worker.postMessage(null)
      await exited
    })
    const push = async (text: string | Uint8Array): Promise<void> => {
      for (let rest: Uint8Array = Buffer.from(text); rest.length > 0; ) {
        const count = producer.fill(rest)
        producer.publish(count)
        rest = rest.subarray(count)
        // Room that is made is told on its own word, so that no doorbell is needed here.
        while (producer.free === 0 && producer.wishRoom(1, 'block'))
          await channel.words.waitAsync(IN.room, -1)
      }
    }
    const link: Link = {
      reader: remoteReader(worker),
      send: text => void push(text),
      arrive: push,
      finish: async () => channel.endInbound('fin'),
      break: async () => channel.endInbound('reset'),
    }
    return link
  },
}

function remoteReader(worker: Worker): PlainReader {
  const calls = new Map<number, PromiseWithResolvers<unknown>>()
  let lastId = 0
  worker.on('message', (answer: BlockingAnswer) => {
    const call = calls.get(answer.id)
    calls.delete(answer.id)
    if ('value' in answer) call?.resolve(answer.value)
    else if ('error' in answer) call?.reject(reviveError(answer.error))
    else call?.reject(new TypeError(answer.typeError))
  })
  const ask = (method: string, args: readonly unknown[]): Promise<unknown> => {
    const id = ++lastId
    const call = Promise.withResolvers<unknown>()
    calls.set(id, call)
    const message: BlockingCall = { id, method, args }
    worker.postMessage(message)
    return call.promise
  }
  const bytes =
    (method: string) =>
    async (...args: unknown[]): Promise<Buffer> =>
      Buffer.from((await ask(method, args)) as Uint8Array)
  return {
    read: bytes('read'),
    readExactly: bytes('readExactly'),
    readUntil: bytes('readUntil'),
    readLine: bytes('readLine'),
    peek: bytes('peek'),
    atEof: async () => (await ask('atEof', [])) as boolean,
    exception: async () => {
      const fields = (await ask('exception', [])) as ErrorFields | null
      return fields && reviveError(fields)
    },
  }
}
