/** Peers in a thread of their own, asked by messages; each order is answered before the next is sent. */
import { once } from 'node:events'
import { parentPort, Worker, workerData } from 'node:worker_threads'

export class PeerThread {
  readonly #worker: Worker

  private constructor(worker: Worker) {
    this.#worker = worker
  }

  /** `spec`: what the thread is to be; it says the first thing. */
  static async start<Said>(
    file: URL,
    spec: unknown,
  ): Promise<{ readonly peers: PeerThread; readonly said: Said }> {
    const worker = new Worker(file, { workerData: spec, execArgv: [] })
    const [said] = (await once(worker, 'message')) as [Said]
    return { peers: new PeerThread(worker), said }
  }

  async ask<Answer>(order: unknown): Promise<Answer> {
    const answered = once(this.#worker, 'message')
    this.#worker.postMessage(order)
    const [answer] = (await answered) as [Answer]
    return answer
  }

  async close(): Promise<void> {
    await this.#worker.terminate()
  }
}

/** The other side: says what it has to say, and answers each order. */
export function servePeers<Spec, Order>(
  begin: (spec: Spec) => Promise<{
    readonly said: unknown
    readonly answer: (order: Order) => unknown
  }>,
): void {
  const port = parentPort
  if (port === null) throw new Error('peers are a thread of a play')
  void begin(workerData as Spec).then(({ said, answer }) => {
    port.on('message', (order: Order) => {
      void Promise.resolve(answer(order)).then(told => port.postMessage(told))
    })
    port.postMessage(said)
  })
}
