/** One thread that serves HTTP, as the main thread sees it. */
import type { EventLoopUtilization } from 'node:perf_hooks'
import { Worker } from 'node:worker_threads'
import { SharedCount } from '../channel/shared-count.ts'
import type { FromHttpThread, HttpThreadData, ToHttpThread } from './http-protocol.ts'
import { RelayedSocket } from './relayed-socket.ts'

export type HttpThreadDeps = {
  readonly file: URL
  readonly data: Omit<HttpThreadData, 'connections' | 'requests'>
  /** Lines for the log, with their line ends. */
  readonly onLog: (text: string) => void
  /** A client's connection that leaves HTTP, from its request on. */
  readonly onTunnel: (socket: RelayedSocket) => void
  /** The thread is gone; null where it ended by itself. */
  readonly onExit: (error: Error | null) => void
}

export type BoundPlace = { readonly address: string; readonly port: number }

/** A row among the workers. */
export type HttpThreadRow = {
  readonly id: number
  readonly kind: 'http'
  readonly threadId: number
  readonly state: 'starting' | 'serving' | 'lost'
  /** HTTP connections that are open. */
  readonly connections: number
  /** HTTP requests that came so far, by this thread and those whose place it took. */
  readonly requests: number
  /** Of an I/O worker's row: nothing is dialled here, and bytes of targets are counted there. */
  readonly dialled: 0
  readonly bytesIn: 0
  readonly bytesOut: 0
  readonly utilization: number
}

export class HttpThread {
  readonly startedMs: number = performance.now()
  readonly threadId: number
  readonly #worker: Worker
  readonly #deps: HttpThreadDeps
  readonly #connections = new SharedCount()
  readonly #requests = new SharedCount()
  readonly #exited: Promise<void>
  #listening: PromiseWithResolvers<BoundPlace> | null = null
  #isServing = false
  #error: Error | null = null
  #last: ReturnType<Worker['performance']['eventLoopUtilization']> | undefined

  constructor(deps: HttpThreadDeps) {
    this.#deps = deps
    const workerData: HttpThreadData = {
      ...deps.data,
      connections: this.#connections.memory,
      requests: this.#requests.memory,
    }
    const name = `sockpool-http-${deps.data.slot}`
    this.#worker = new Worker(deps.file, { workerData, name, execArgv: [] })
    this.threadId = this.#worker.threadId
    this.#worker.on('message', (message: FromHttpThread) => this.#received(message))
    this.#worker.on('error', (error: unknown) => {
      this.#error = error instanceof Error ? error : new Error(String(error))
    })
    this.#exited = new Promise(resolve => {
      this.#worker.on('exit', () => {
        this.#isServing = false
        this.#listening?.reject(this.#error ?? new Error('the HTTP thread ended before it listened'))
        deps.onExit(this.#error)
        resolve()
      })
    })
  }

  get requests(): number {
    return this.#requests.value
  }

  get connections(): number {
    return this.#isServing ? this.#connections.value : 0
  }

  get isServing(): boolean {
    return this.#isServing
  }

  /** How its event loop has spent its time so far. */
  get loopTime(): EventLoopUtilization {
    return this.#worker.performance.eventLoopUtilization()
  }

  /** Share of the time since the last look in which its event loop was busy, 0..1. */
  get utilization(): number {
    const { performance: own } = this.#worker
    const now = own.eventLoopUtilization()
    const { utilization } = own.eventLoopUtilization(now, this.#last)
    this.#last = now
    // Of a thread that is only starting nothing is known.
    return Math.min(1, Math.max(0, utilization))
  }

  /** Binds the port. Errors: the system's, with its code. */
  listen(hosts: readonly string[], port: number, isFirst: boolean): Promise<BoundPlace> {
    this.#listening = Promise.withResolvers<BoundPlace>()
    this.tell({ kind: 'listen', hosts, port, isFirst })
    return this.#listening.promise
  }

  tell(message: ToHttpThread): void {
    this.#worker.postMessage(message)
  }

  /** Ends the thread whatever it does. */
  terminate(): void {
    void this.#worker.terminate()
  }

  /** Has it end what is under way; terminates it where it does not within `graceMs`. */
  async close(graceMs: number): Promise<void> {
    this.tell({ kind: 'close' })
    const timer = setTimeout(() => this.terminate(), graceMs)
    await this.#exited
    clearTimeout(timer)
  }

  #received(message: FromHttpThread): void {
    switch (message.kind) {
      case 'listening':
        this.#isServing = true
        this.#listening?.resolve({ address: message.address, port: message.port })
        return
      case 'failed': {
        const { code } = message
        const error = new Error(message.message)
        this.#listening?.reject(code === null ? error : Object.assign(error, { code }))
        return
      }
      case 'log':
        this.#deps.onLog(message.text)
        return this.tell({ kind: 'logged' })
      case 'tunnel':
        return this.#deps.onTunnel(new RelayedSocket(message.port))
      default:
        message satisfies never
    }
  }
}
