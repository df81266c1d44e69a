/**
 * One connection of an I/O worker on the test's own thread: a real socket, a channel out of a slab, and the holder's ends
 * of both rings. Its doorbell is the test's: `ring` is heard at once.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { onTestFinished } from 'vitest'
import { LIMITS } from '../../src/base/limits.ts'
import type { Channel } from '../../src/channel/channel.ts'
import { allocateDoorbell, doorbellWords, TurnRinger } from '../../src/channel/doorbell.ts'
import type { RingConsumer, RingProducer } from '../../src/channel/ring.ts'
import { type RingSizes, SlabAllocator, SlabNumbers } from '../../src/channel/slab.ts'
import type { ShutName } from '../../src/channel/values.ts'
import { allocateVitals, Vitals } from '../../src/channel/vitals.ts'
import type { FrameSpec } from '../../src/frames/frame-spec.ts'
import type { Dial } from '../../src/threads/protocol.ts'
import { Connection } from '../../workers/io/connection.ts'
import { Dialogs } from '../../workers/io/dialog/dialogs.ts'
import { HolderBells } from '../../workers/io/holder-bells.ts'
import { MessageBalance } from '../../workers/io/message-balance.ts'
import { SilentTurns } from '../../workers/io/silent-turns.ts'
import { watchTlsEnd } from '../../workers/io/tls-end.ts'
import type { TestServer } from './test-server.ts'
import { until } from './until.ts'

export type RigOptions = {
  readonly sizes?: RingSizes | undefined
  /** Connections that the channel has served before, each for one lease. */
  readonly servedBefore?: number | undefined
  readonly closeLingerMs?: number | undefined
  readonly frame?: FrameSpec | undefined
  readonly dialogs?: Partial<Pick<Dial, 'onConnect' | 'onRelease' | 'probe'>> | undefined
}

/** A lease's ends of the rings. */
export type RigLease = { readonly epoch: number; readonly reads: RingConsumer; readonly writes: RingProducer }

export class IoConnectionRig {
  readonly channel: Channel
  readonly connection: Connection
  readonly vitals: Vitals = new Vitals(allocateVitals())
  readonly faults: unknown[] = []
  isGone = false
  socket: Socket | null = null
  readonly #dialogs: Dialogs
  readonly #turnRingers: TurnRinger[] = []

  constructor(options: RigOptions = {}) {
    const { sizes = { inboundBytes: 262_144, outboundBytes: 65_536 }, servedBefore = 0 } = options
    const slabs = new SlabAllocator(sizes, new SlabNumbers())
    this.channel = slabs.take()
    for (let served = 0; served < servedBefore; served++) {
      this.channel.advanceEpoch()
      this.channel.advanceEpoch()
      this.channel.reset()
    }
    const flush = (): void => {
      for (const ringer of this.#turnRingers) ringer.flush()
    }
    const pool = new TurnRinger(doorbellWords(allocateDoorbell()), flush)
    this.#turnRingers.push(pool)
    this.#dialogs = new Dialogs({ onConnect: [], onRelease: [], ...options.dialogs }, 5_000)
    this.connection = new Connection({
      channel: this.channel,
      generation: this.channel.generation,
      pool,
      holders: new HolderBells(pool, new Map(), flush),
      vitals: this.vitals,
      balance: MessageBalance.of(options.frame),
      scratch: Buffer.allocUnsafeSlow(LIMITS.kernelReadBytes),
      closeLingerMs: options.closeLingerMs ?? LIMITS.closeLingerMs,
      turns: new SilentTurns(),
      stir: () => {},
      onFault: error => this.faults.push(error),
      onGone: () => {
        this.isGone = true
      },
    })
    onTestFinished(() => this.connection.destroy())
  }

  /** Connects to a server and opens the connection; the server's end of it. */
  async dial(server: TestServer): Promise<Socket> {
    const { nextBuffer, received } = this.connection
    const options = {
      host: server.host,
      port: server.port,
      allowHalfOpen: true,
      onread: { buffer: nextBuffer, callback: received },
    }
    const secure = { ...options, ca: server.ca, servername: 'localhost' }
    const socket = server.ca === '' ? connect(options) : watchTlsEnd(connectTls(secure))
    const peer = server.connection()
    await once(socket, server.ca === '' ? 'connect' : 'secureConnect')
    await this.#open(socket, server.host)
    return await peer
  }

  /** Connects to a server in plain text, and opens the connection with its dialogs. */
  async dialPlain({ host, port }: { readonly host: string; readonly port: number }): Promise<void> {
    const { nextBuffer, received } = this.connection
    const onread = { buffer: nextBuffer, callback: received }
    const socket = connect({ host, port, allowHalfOpen: true, onread })
    await once(socket, 'connect')
    await this.#open(socket, host)
  }

  async #open(socket: Socket, host: string): Promise<void> {
    this.socket = socket
    try {
      this.socket = await this.connection.openWithDialogs(socket, host, this.#dialogs)
    } catch (error) {
      this.connection.abandon()
      throw error
    }
  }

  /** Begins a lease, as the pool does. */
  lease(): RigLease {
    this.channel.setHolder(0)
    const epoch = this.channel.advanceEpoch()
    const tenure = this.channel.leaseTenure(epoch)
    return {
      epoch,
      reads: this.channel.inboundConsumer(tenure),
      writes: this.channel.outboundProducer(tenure),
    }
  }

  /** Ends the lease; what the I/O worker found. */
  async release(): Promise<string> {
    const epoch = this.channel.advanceEpoch()
    this.ring()
    await until('the release was checked', () => this.channel.checkedAt(epoch) !== 'none')
    return this.channel.checkedAt(epoch)
  }

  /** Asks for a probe, as the pool does; what the I/O worker found. */
  async probe(): Promise<string> {
    const epoch = this.channel.askProbe()
    this.ring()
    await until('the connection was probed', () => this.channel.checkedAt(epoch) !== 'none')
    return this.channel.checkedAt(epoch)
  }

  shut(how: ShutName): void {
    this.channel.requestShut(how)
    this.ring()
  }

  ring(): void {
    this.connection.rung()
  }

  /** Writes what there is room for; how much. */
  write({ writes }: RigLease, bytes: string | Uint8Array): number {
    const count = writes.fill(Buffer.from(bytes))
    writes.publish(count)
    this.ring()
    return count
  }

  /** Resolves with what has come, once it is so long. */
  async read({ reads }: RigLease, count: number): Promise<string> {
    await until(`${count} bytes came`, () => reads.readable >= count)
    const bytes = Buffer.alloc(count)
    reads.copy(bytes)
    if (reads.consume(count)) this.ring()
    return bytes.toString()
  }

  /** Resolves once the channel says that the socket is gone; how it ended. */
  async closed(withinMs = 5_000): Promise<string> {
    await until('the connection closed', () => this.channel.closed !== 'open', withinMs)
    return this.channel.closed
  }
}
