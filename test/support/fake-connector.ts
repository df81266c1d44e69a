/**
 * I/O workers without threads or sockets: each dial waits until the test settles it, and each connection is a real
 * channel whose far side the test plays.
 */
import { SockpoolError } from '../../src/base/errors.ts'
import { aborted } from '../../src/base/wait.ts'
import { allocateDoorbell, Ringer } from '../../src/channel/doorbell.ts'
import { SlabAllocator, SlabNumbers } from '../../src/channel/slab.ts'
import type { CheckName, EndName } from '../../src/channel/values.ts'
import type { Connector } from '../../src/pool/target/connector.ts'
import { IoConnection } from '../../src/threads/io-connection.ts'
import type { NameAnswer } from '../../src/threads/protocol.ts'
import { ThreadDesks } from '../../src/threads/thread-desks.ts'
import { ThreadSplices } from '../../src/threads/thread-splices.ts'

type Request = Parameters<Connector['open']>[0]

export class FakeConnection {
  readonly io: IoConnection
  /** Settles the probe under way; null where there is none. */
  answerProbe: ((found: CheckName) => void) | null = null
  #settledEpoch = 0

  constructor(io: IoConnection) {
    this.io = io
    const probe = (): Promise<CheckName> => {
      const { promise, resolve } = Promise.withResolvers<CheckName>()
      this.answerProbe = found => {
        this.answerProbe = null
        resolve(found)
      }
      return promise
    }
    Object.assign(io, { probe })
  }

  get isGone(): boolean {
    return this.io.isGone
  }

  /** What the I/O worker would find after a release; null leaves it looking. */
  judge(found: CheckName): void {
    const { channel } = this.io
    if (this.isGone || channel.isLeased || channel.epoch === this.#settledEpoch) return
    this.#settledEpoch = channel.epoch
    channel.setChecked(channel.epoch, found)
    this.io.rung()
  }

  /** The peer has ended its direction. */
  finish(): void {
    this.io.channel.endInbound('fin')
    this.io.rung()
  }

  die(how: EndName = 'reset'): void {
    if (this.isGone) return
    this.io.channel.endInbound(how)
    this.io.channel.close(how)
    this.io.rung()
  }

  /** Obeys a request to close, as the I/O worker does when its doorbell rings. */
  obey(): void {
    const { shut, isLeased } = this.io.channel
    if (shut === 'abort' || (shut === 'close' && !isLeased)) this.die('closed')
  }
}

export class FakeDial {
  readonly request: Request
  readonly #resolve: (connection: IoConnection) => void
  readonly #reject: (error: Error) => void
  readonly #connect: () => FakeConnection
  isSettled = false

  constructor(
    request: Request,
    resolve: (connection: IoConnection) => void,
    reject: (error: Error) => void,
    connect: () => FakeConnection,
  ) {
    this.request = request
    this.#resolve = resolve
    this.#reject = reject
    this.#connect = connect
  }

  get isAborted(): boolean {
    return this.request.signal?.aborted === true
  }

  /** `before` plays on the connection before the pool hears of it. */
  succeed(before: (connection: FakeConnection) => void = () => {}): FakeConnection {
    this.isSettled = true
    const connection = this.#connect()
    before(connection)
    this.#resolve(connection.io)
    return connection
  }

  fail(code: 'CONNECT_REFUSED' | 'CONNECT_TIMEOUT' | 'TLS_FAILED' | 'QUEUE_FULL' = 'CONNECT_REFUSED'): void {
    this.isSettled = true
    this.#reject(new SockpoolError(code, 'as the test wishes'))
  }

  /** Gives up, as the I/O worker does for an aborted dial. */
  obey(): void {
    if (this.isSettled || !this.request.signal?.aborted) return
    this.isSettled = true
    this.#reject(aborted('connect', this.request.signal))
  }
}

export type FakeLookUp = {
  readonly name: string
  readonly known: readonly string[]
  readonly answer: (addresses: readonly string[], ttlMs?: number | null) => void
  readonly fail: () => void
}

export class FakeConnector implements Connector {
  readonly dials: FakeDial[] = []
  readonly connections: FakeConnection[] = []
  /** Look-ups so far, each with what settles it. */
  readonly lookUps: FakeLookUp[] = []
  /** Where the next connections arrive. */
  remoteAddress = ''
  readonly #slabs = new SlabAllocator({ inboundBytes: 64, outboundBytes: 64 }, new SlabNumbers())
  readonly #doorbell = allocateDoorbell()

  open(request: Request): Promise<IoConnection> {
    const { promise, resolve, reject } = Promise.withResolvers<IoConnection>()
    this.dials.push(new FakeDial(request, resolve, reject, () => this.#connect()))
    return promise
  }

  lookUp(name: string, known: readonly string[]): Promise<NameAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<NameAnswer>()
    const answer = (addresses: readonly string[], ttlMs: number | null = null): void =>
      resolve({ addresses, families: [4, 6], ttlMs })
    const fail = (): void => reject(new SockpoolError('DNS_FAILED', 'as the test wishes'))
    this.lookUps.push({ name, known, answer, fail })
    return promise
  }

  /** Dials that nobody has settled. */
  get pending(): FakeDial[] {
    return this.dials.filter(dial => !dial.isSettled)
  }

  get alive(): FakeConnection[] {
    return this.connections.filter(connection => !connection.isGone)
  }

  /** Everything that was asked to end ends. */
  obey(): void {
    for (const dial of this.pending) dial.obey()
    for (const connection of this.alive) connection.obey()
  }

  #connect(): FakeConnection {
    const channel = this.#slabs.take()
    const io = new IoConnection({
      id: `c${this.connections.length + 1}`,
      worker: 0,
      thread: 0,
      channel,
      ringer: Ringer.of(this.#doorbell),
      doorbell: this.#doorbell,
      facts: { localAddress: '', localPort: 0, remoteAddress: this.remoteAddress, remotePort: 0, tls: null },
      upgrades: {
        hush: async () => new Uint8Array(),
        secure: () => Promise.reject(new Error('no TLS here')),
      },
      splices: new ThreadSplices(() => {}),
      desks: new ThreadDesks(() => {}),
      tell: () => {},
      isRetiring: () => false,
      onFree: () => this.#slabs.giveBack(channel),
    })
    const connection = new FakeConnection(io)
    this.connections.push(connection)
    return connection
  }
}

/** Lets all promise reactions run. */
export async function settle(): Promise<void> {
  await new Promise(resolve => setImmediate(resolve))
}
