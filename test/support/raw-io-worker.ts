/**
 * The real I/O worker, told what to do message by message: the test stands in the place of the pool's thread, and holds
 * the channels itself.
 */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { onTestFinished } from 'vitest'
import type { Channel } from '../../src/channel/channel.ts'
import { allocateDoorbell, doorbellWords, Ringer } from '../../src/channel/doorbell.ts'
import type { RingConsumer, RingProducer } from '../../src/channel/ring.ts'
import { DEFAULT_RING_SIZES, SlabAllocator, SlabNumbers } from '../../src/channel/slab.ts'
import { allocateVitals } from '../../src/channel/vitals.ts'
import type {
  BoundAddress,
  Dial,
  FromIoWorker,
  IoWorkerData,
  ListenSpec,
  TlsServer,
  ToIoWorker,
} from '../../src/threads/protocol.ts'
import { watchLeaks } from './leak-watch.ts'
import { until } from './until.ts'

type Kind = FromIoWorker['kind']
type Of<K extends Kind> = Extract<FromIoWorker, { readonly kind: K }>

/** One connection in the worker, on a lease that has begun. */
export class RawConnection {
  readonly channel: Channel
  readonly reads: RingConsumer
  readonly writes: RingProducer
  readonly #ringer: Ringer

  constructor(channel: Channel, ringer: Ringer) {
    this.channel = channel
    this.#ringer = ringer
    const tenure = channel.leaseTenure(channel.advanceEpoch())
    this.reads = channel.inboundConsumer(tenure)
    this.writes = channel.outboundProducer(tenure)
  }

  ring(): void {
    this.#ringer.ring(this.channel.number)
  }

  write(text: string): void {
    this.writes.publish(this.writes.fill(Buffer.from(text)))
    this.ring()
  }

  async read(count: number): Promise<string> {
    await until(`${count} bytes came`, () => this.reads.readable >= count)
    const bytes = Buffer.alloc(count)
    this.reads.copy(bytes)
    if (this.reads.consume(count)) this.ring()
    return bytes.toString()
  }

  /** Ends the connection at once; resolves when the worker says that it is gone. */
  async abort(): Promise<void> {
    this.channel.requestShut('abort')
    this.channel.advanceEpoch()
    this.ring()
    await this.closed()
  }

  async closed(withinMs = 5_000): Promise<string> {
    await until('the connection closed', () => this.channel.closed !== 'open', withinMs)
    return this.channel.closed
  }
}

export class RawIoWorker {
  readonly slabs: SlabAllocator
  /** Set when the thread has ended. */
  exitCode: number | null = null
  readonly #worker: Worker
  readonly #ringer: Ringer
  readonly #received: FromIoWorker[] = []
  #listeners = 0

  private constructor() {
    this.slabs = new SlabAllocator(DEFAULT_RING_SIZES, new SlabNumbers())
    const doorbell = allocateDoorbell()
    this.#ringer = new Ringer(doorbellWords(doorbell))
    const workerData: IoWorkerData = {
      index: 0,
      doorbell,
      poolDoorbell: allocateDoorbell(),
      vitals: allocateVitals(),
      egress: { allow: [], denied: [], dnsServers: [] },
      holders: new Map(),
    }
    this.#worker = new Worker(new URL('../../workers/io-worker.ts', import.meta.url), { workerData })
    this.#worker.on('message', (message: FromIoWorker) => this.#received.push(message))
    this.#worker.on('exit', code => {
      this.exitCode = code
    })
  }

  static async start(): Promise<RawIoWorker> {
    watchLeaks()
    const io = new RawIoWorker()
    onTestFinished(async () => {
      io.tell({ kind: 'stop' })
      await until('the worker ended', () => io.exitCode !== null)
      if (io.exitCode !== 0) throw new Error(`the I/O worker ended with ${io.exitCode}`)
    })
    await once(io.#worker, 'online')
    return io
  }

  tell(message: ToIoWorker): void {
    this.#worker.postMessage(message)
  }

  /** Messages of one kind that came, and that nobody has asked for yet. */
  take<K extends Kind>(kind: K): readonly Of<K>[] {
    const taken = this.#received.filter((message): message is Of<K> => message.kind === kind)
    const rest = this.#received.filter(message => message.kind !== kind)
    this.#received.splice(0, this.#received.length, ...rest)
    return taken
  }

  /** The next message of one kind. */
  async next<K extends Kind>(kind: K, withinMs = 5_000): Promise<Of<K>> {
    const is = (message: FromIoWorker): message is Of<K> => message.kind === kind
    return await this.#find(is, `the worker said ${kind}`, withinMs)
  }

  /** The first message that came, or comes, of which `is` holds. */
  async #find<M extends FromIoWorker>(
    is: (message: FromIoWorker) => message is M,
    what: string,
    withinMs: number,
  ): Promise<M> {
    const signal = AbortSignal.timeout(withinMs)
    for (;;) {
      const message = this.#received.find(is)
      if (message !== undefined) {
        this.#received.splice(this.#received.indexOf(message), 1)
        return message
      }
      await once(this.#worker, 'message', { signal }).catch(() => {
        throw new Error(`within ${withinMs} ms it never happened that ${what}`)
      })
    }
  }

  /** Dials, and begins a lease. Rejects with what the worker says. */
  async dial(port: number, options: Partial<Dial> = {}): Promise<RawConnection> {
    const channel = this.slabs.take()
    const dial: Dial = {
      places: [{ host: '127.0.0.1', port }],
      tls: null,
      authority: 'operator',
      tenant: '',
      onConnect: [],
      onRelease: [],
      ...options,
    }
    const { memory, generation } = channel
    this.tell({ kind: 'open', memory, generation, dial, connectTimeoutMs: 5_000 })
    return await this.#opened(channel)
  }

  async listen(tls: TlsServer | null, spec: Partial<ListenSpec> = {}): Promise<RawListener> {
    const listener = this.#listeners++
    const where = { kind: 'tcp', hosts: ['127.0.0.1'], port: 0 } as const
    const common = { backlog: 1_024, reusePort: false, handshakeTimeoutMs: 5_000 }
    this.tell({ kind: 'listen', listener, spec: { where, tls, ...common, ...spec } })
    const { addresses } = await this.next('listening')
    const [address] = addresses
    if (address === undefined) throw new Error('the listener has no address')
    this.tell({ kind: 'serve', listener })
    return new RawListener(this, listener, address)
  }

  async adopt(listener: number, incoming: number): Promise<RawConnection> {
    const channel = this.slabs.take()
    const { memory, generation } = channel
    this.tell({ kind: 'adopt', listener, incoming, memory, generation })
    return await this.#opened(channel)
  }

  async #opened(channel: Channel): Promise<RawConnection> {
    const isAnswer = (message: FromIoWorker): message is Of<'opened' | 'failed'> =>
      (message.kind === 'opened' || message.kind === 'failed') && message.channel === channel.number
    const message = await this.#find(isAnswer, 'the worker answered', 10_000)
    if (message.kind === 'failed') throw Object.assign(new Error(message.error.message), message.error)
    return new RawConnection(channel, this.#ringer)
  }
}

export class RawListener {
  readonly number: number
  readonly address: BoundAddress
  readonly #io: RawIoWorker

  constructor(io: RawIoWorker, number: number, address: BoundAddress) {
    this.#io = io
    this.number = number
    this.address = address
  }

  /** The next client, adopted. */
  async client(withinMs?: number): Promise<RawConnection> {
    const { incoming } = await this.#io.next('incoming', withinMs)
    return await this.#io.adopt(this.number, incoming)
  }

  /** Stops listening; resolves when the worker says so. */
  async close(): Promise<void> {
    this.#io.tell({ kind: 'unlisten', listener: this.number, isOrderly: false })
    await this.#io.next('unlistened')
  }
}
