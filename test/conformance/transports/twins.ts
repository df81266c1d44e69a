/** A thread that makes blocking calls, and what stands for its readers and writers in the thread of the test. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { type ErrorFields, reviveError } from '../../../src/base/errors.ts'
import type { MatchedRead } from '../../../src/streams/reading/stream-reader.ts'
import type { PlainReader, PlainWriter } from '../transport.ts'
import type { PeerProgress, TwinAnswer, TwinAsk, TwinQuestion, TwinSetUp } from './twin-protocol.ts'

export class TwinThread {
  readonly #worker: Worker
  readonly #asked = new Map<number, PromiseWithResolvers<unknown>>()
  #lastId = 0
  /** Why nothing is answered any more. */
  #failure: Error | null = null

  private constructor(worker: Worker) {
    this.#worker = worker
    worker.on('message', (answer: TwinAnswer) => this.#answered(answer))
    worker.on('error', error => this.#fail(error))
    worker.on('exit', () => this.#fail(new Error('the thread is gone')))
  }

  static async start(setUp: TwinSetUp): Promise<TwinThread> {
    const file = new URL('twin-thread.ts', import.meta.url)
    const worker = new Worker(file, { workerData: setUp, execArgv: [] })
    await once(worker, 'online')
    return new TwinThread(worker)
  }

  /** Rejects with what the thread has thrown. */
  async ask(ask: TwinAsk): Promise<unknown> {
    const question: TwinQuestion = { id: ++this.#lastId, ask }
    const asked = Promise.withResolvers<unknown>()
    if (this.#failure !== null) throw this.#failure
    this.#asked.set(question.id, asked)
    this.#worker.postMessage(question)
    return await asked.promise
  }

  /** The thread ends by itself: nothing may keep it. */
  async end(): Promise<void> {
    const exited = once(this.#worker, 'exit')
    await this.ask({ kind: 'end' })
    await exited
  }

  #fail(error: Error): void {
    this.#failure ??= error
    for (const { reject } of this.#asked.values()) reject(this.#failure)
    this.#asked.clear()
  }

  #answered(answer: TwinAnswer): void {
    const asked = this.#asked.get(answer.id)
    this.#asked.delete(answer.id)
    switch (answer.kind) {
      case 'value':
        asked?.resolve(answer.value)
        return
      case 'error':
        asked?.reject(reviveError(answer.error))
        return
      case 'fault':
        asked?.reject(answer.name === 'TypeError' ? new TypeError(answer.message) : new Error(answer.message))
        return
      default:
        answer satisfies never
    }
  }
}

/** Calls members of the thread's twins by number. `progress` is asked at each call. */
export class RemoteTwins {
  readonly reader: PlainReader
  readonly writer: PlainWriter
  readonly #thread: TwinThread
  readonly #number: number
  readonly #progress: () => PeerProgress

  constructor(thread: TwinThread, number: number, progress: () => PeerProgress) {
    this.#thread = thread
    this.#number = number
    this.#progress = progress
    this.reader = this.#makeReader()
    this.writer = this.#makeWriter()
  }

  async give(how: 'release' | 'discard'): Promise<unknown> {
    return await this.#thread.ask({ kind: 'give', twins: this.#number, how })
  }

  #call<T>(end: 'reader' | 'writer' | 'lines', member: string, args: readonly unknown[]): Promise<T> {
    const progress = this.#progress()
    return this.#thread.ask({ kind: 'call', twins: this.#number, end, member, args, progress }) as Promise<T>
  }

  #makeReader(): PlainReader {
    const bytes =
      (member: string) =>
      async (...args: unknown[]): Promise<Buffer> =>
        Buffer.from(await this.#call<Uint8Array>('reader', member, args))
    const readUntil = async (...args: unknown[]): Promise<Buffer | MatchedRead> => {
      const result = await this.#call<Uint8Array | MatchedRead>('reader', 'readUntil', args)
      return result instanceof Uint8Array
        ? Buffer.from(result)
        : { ...result, data: Buffer.from(result.data) }
    }
    const offset = (): Promise<number> => this.#call('reader', 'offset', [])
    return {
      get offset() {
        return offset()
      },
      read: bytes('read'),
      readExactly: bytes('readExactly'),
      readUntil: readUntil as PlainReader['readUntil'],
      readLine: bytes('readLine'),
      peek: bytes('peek'),
      unread: taken => this.#call('reader', 'unread', [taken]),
      atEof: () => this.#call('reader', 'atEof', []),
      exception: async () => {
        const fields = await this.#call<ErrorFields | null>('reader', 'exception', [])
        return fields && reviveError(fields)
      },
      [Symbol.asyncIterator]: () => this.#lines(),
    }
  }

  async *#lines(): AsyncGenerator<Buffer, void, undefined> {
    await this.#call('lines', 'begin', [])
    for (;;) {
      const { done, value } = await this.#call<IteratorResult<Uint8Array>>('lines', 'next', [])
      if (done === true) return
      yield Buffer.from(value)
    }
  }

  #makeWriter(): PlainWriter {
    const call =
      <T>(member: string) =>
      (...args: unknown[]): Promise<T> =>
        this.#call<T>('writer', member, args)
    const property = (member: string): Promise<number> => this.#call('writer', member, [])
    return {
      get offset() {
        return property('offset')
      },
      get dropped() {
        return property('dropped')
      },
      write: call('write'),
      writeLines: call('writeLines'),
      drain: call('drain'),
      canWriteEof: call('canWriteEof'),
      writeEof: call('writeEof'),
      close: call('close'),
      abort: call('abort'),
      isClosing: call('isClosing'),
      waitClosed: call('waitClosed'),
      getExtraInfo: call('getExtraInfo'),
    }
  }
}
