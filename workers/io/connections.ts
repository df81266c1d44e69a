/**
 * The connections of one I/O worker, by the number of their channel: dialled ones and accepted ones. A channel serves one
 * connection at a time; the pool gives it to the next when this worker has said that the socket is gone.
 */
import type { Socket } from 'node:net'
import { type ErrorFields, SockpoolError } from '../../src/base/errors.ts'
import { LIMITS } from '../../src/base/limits.ts'
import { timerMs } from '../../src/base/timer.ts'
import { aborted } from '../../src/base/wait.ts'
import { Channel, type ChannelMemory } from '../../src/channel/channel.ts'
import type { TurnRinger } from '../../src/channel/doorbell.ts'
import type { Vitals } from '../../src/channel/vitals.ts'
import type {
  AdoptMessage,
  FailedMessage,
  FromIoWorker,
  OpenMessage,
  SocketFacts,
} from '../../src/threads/protocol.ts'
import { AttemptErrors } from './attempts.ts'
import { Connection } from './connection.ts'
import type { Dialler } from './dialler.ts'
import { Dialogs } from './dialog/dialogs.ts'
import type { HolderBells } from './holder-bells.ts'
import type { Listeners } from './listeners.ts'
import { MessageBalance } from './message-balance.ts'
import type { SilentTurns } from './silent-turns.ts'
import { socketFacts } from './socket-facts.ts'

export type ConnectionsDeps = {
  readonly dialler: Pick<Dialler, 'dial'>
  readonly listeners: Pick<Listeners, 'take'>
  readonly pool: TurnRinger
  readonly holders: HolderBells
  readonly vitals: Vitals
  /** Milliseconds that a close may take; default: LIMITS.closeLingerMs. */
  readonly closeLingerMs?: number | undefined
  readonly turns: SilentTurns
  readonly stir: () => void
  /** Channels below this number may be rung from now on. */
  readonly cover: (channels: number) => void
  readonly tell: (message: FromIoWorker) => void
  /** One was made, which leaves garbage behind. */
  readonly onMade?: () => void
}

/** Where a connection comes from, which its socket does not know: the host it was dialled by, paths of unix sockets. */
type Origin = { readonly host: string; readonly local?: string; readonly remote?: string | undefined }

/** A dial under way. A holder that gives up shuts the channel. */
type DialUnderWay = { readonly channel: Channel; readonly controller: AbortController }

export class Connections {
  readonly #deps: ConnectionsDeps
  readonly #scratch = Buffer.allocUnsafeSlow(LIMITS.kernelReadBytes)
  readonly #connections = new Map<number, Connection>()
  readonly #dials = new Map<number, DialUnderWay>()
  readonly #origins = new WeakMap<Connection, Origin>()
  /** By the number of the slab, what its first message told of it. */
  readonly #slabs = new Map<number, Pick<ChannelMemory, 'slab' | 'wide'>>()

  constructor(deps: ConnectionsDeps) {
    this.#deps = deps
  }

  /** Dials, and serves the channel; tells `opened` or `failed`. */
  async open(message: OpenMessage): Promise<void> {
    const channel = this.#channelIn(message.memory)
    const { generation, dial, connectTimeoutMs } = message
    const controller = new AbortController()
    const connection = this.#make(channel, generation, dial.isCounted ? MessageBalance.of(dial.frame) : null)
    let last = 0
    const onPlace = (tried: number): void => {
      last = tried
    }
    this.#dials.set(channel.number, { channel, controller })
    // The bell for a dial that was given up at once may have rung before this message came.
    if (channel.shut === 'abort') controller.abort()
    const timeout = setTimeout(() => controller.abort('timeout'), timerMs(connectTimeoutMs))
    try {
      const deadlineMs = performance.now() + connectTimeoutMs
      const dialled = this.#deps.dialler.dial(dial, connection, controller.signal, deadlineMs, onPlace)
      const { socket, place } = await dialled
      if (controller.signal.aborted) {
        socket.destroy()
        throw controller.signal.reason
      }
      this.#admit(connection, { host: place.host, remote: dial.path })
      controller.signal.addEventListener('abort', () => connection.destroy(), { once: true })
      const dialogs = Dialogs.of(dial, connectTimeoutMs)
      const opened = await connection.openWithDialogs(socket, place.host, dialogs)
      if (controller.signal.aborted) throw controller.signal.reason
      this.#opened(connection, opened, last)
    } catch (error) {
      connection.abandon()
      const failure = dialFailure(error, controller.signal, connectTimeoutMs)
      this.#deps.tell({ kind: 'failed', channel: channel.number, generation, place: last, ...failure })
    } finally {
      clearTimeout(timeout)
      this.#dials.delete(channel.number)
    }
  }

  /** Serves the channel with an accepted connection. Errors: CONNECTION_RESET, CONNECT_FAILED; the connection is gone then. */
  adopt({ listener, incoming, memory, generation }: AdoptMessage): void {
    const taken = this.#deps.listeners.take(listener, incoming)
    if (taken === undefined)
      throw new SockpoolError('CONNECTION_RESET', 'the client hung up before it was served')
    const { socket, path } = taken
    try {
      const channel = this.#channelIn(memory)
      if (channel.shut === 'abort') throw new SockpoolError('ABORTED', 'nobody waits for the client any more')
      this.#serve(this.#make(channel, generation, null), socket, path)
    } catch (error) {
      socket.destroy()
      throw error
    }
  }

  /** The doorbell rang for a channel. */
  rung(number: number): void {
    const dial = this.#dials.get(number)
    if (dial?.channel.shut === 'abort') dial.controller.abort()
    this.#connections.get(number)?.rung()
  }

  find(channel: number, generation: number): Connection | undefined {
    const connection = this.#connections.get(channel)
    return connection?.generation === generation ? connection : undefined
  }

  /** The host that the connection was dialled by: what a certificate must show by default. */
  hostOf(connection: Connection): string {
    return this.#origins.get(connection)?.host ?? ''
  }

  factsOf(connection: Connection, socket: Socket): SocketFacts {
    return socketFacts(socket, this.#origins.get(connection))
  }

  /** Gives up all dials and destroys all connections. */
  destroyAll(): void {
    for (const { controller } of this.#dials.values()) controller.abort()
    for (const connection of this.#connections.values()) connection.destroy()
  }

  /** Each message has a handle of its own on the slab; all channels in it go by the first, whose views they share. */
  #channelIn(memory: ChannelMemory): Channel {
    const number = Math.floor(memory.number / LIMITS.channelsPerSlab)
    const { slab, wide } = this.#slabs.get(number) ?? memory
    if (slab === memory.slab) this.#slabs.set(number, { slab, wide })
    return new Channel({ ...memory, slab, wide })
  }

  #make(channel: Channel, generation: number, balance: MessageBalance | null): Connection {
    const {
      pool,
      holders,
      vitals,
      turns,
      stir,
      cover,
      tell,
      closeLingerMs = LIMITS.closeLingerMs,
    } = this.#deps
    const { number } = channel
    cover(number + 1)
    this.#deps.onMade?.()
    const connection = new Connection({
      channel,
      generation,
      pool,
      holders,
      vitals,
      balance,
      scratch: this.#scratch,
      closeLingerMs,
      turns,
      stir,
      onFault: error =>
        tell({ kind: 'fault', channel: number, generation, error: SockpoolError.from(error).toJSON() }),
      onGone: () => {
        if (this.#connections.get(number) === connection) this.#connections.delete(number)
      },
    })
    return connection
  }

  #admit(connection: Connection, origin: Origin): void {
    this.#origins.set(connection, origin)
    this.#connections.set(connection.channel.number, connection)
  }

  #serve(connection: Connection, socket: Socket, path: string): void {
    try {
      this.#admit(connection, { host: '', local: path })
      connection.open(socket)
      connection.feedFrom(socket)
      this.#opened(connection, socket)
    } catch (error) {
      connection.abandon()
      throw error
    }
  }

  #opened(connection: Connection, socket: Socket, place?: number): void {
    const { channel, generation } = connection
    const facts = this.factsOf(connection, socket)
    this.#deps.tell({ kind: 'opened', channel: channel.number, generation, facts, place })
  }
}

/** What a failed dial is to its caller, and the attempts that it is made of. */
function dialFailure(
  error: unknown,
  signal: AbortSignal,
  connectTimeoutMs: number,
): Pick<FailedMessage, 'error' | 'attempts'> {
  if (!signal.aborted) {
    const { cause } = error instanceof Error ? error : {}
    const fields = SockpoolError.from(error, 'CONNECT_FAILED').toJSON()
    return { error: fields, attempts: cause instanceof AggregateError ? fieldsOf(cause) : undefined }
  }
  if (signal.reason !== 'timeout') return { error: aborted('connect', signal).toJSON() }
  const message = `no connection within ${connectTimeoutMs} ms`
  const attempts = error instanceof AttemptErrors ? fieldsOf(error) : []
  if (attempts.length <= 1) return { error: new SockpoolError('CONNECT_TIMEOUT', message).toJSON() }
  const parts = attempts.map(each => each.message).join(', ')
  return { error: new SockpoolError('CONNECT_TIMEOUT', `${message}: ${parts}`).toJSON(), attempts }
}

/** The parts of a joined error: as its cause they would not cross the thread. */
function fieldsOf({ errors }: AggregateError): readonly ErrorFields[] {
  return errors.map(each => SockpoolError.from(each).toJSON())
}
